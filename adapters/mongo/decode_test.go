package mongo

import (
	"strconv"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Somebody's chat of very many is read each time one of them connects: what it
// costs grows with their number, not with its square, which would be minutes.
func TestParticipantsWithoutNumber(t *testing.T) {
	const many = 150_000
	users := make(bson.A, many)
	for i := range users {
		users[i] = "u" + strconv.Itoa(i)
	}
	kind, data, err := bson.MarshalValue(users)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	got := participantsOf(bson.RawValue{Type: kind, Value: data})
	if took := time.Since(began); len(got) != many || took > 20*time.Second {
		t.Errorf("%d in %v", len(got), took)
	}
}
