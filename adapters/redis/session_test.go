package redis

import (
	"context"
	"reflect"
	"testing"
	"time"

	"parley/models"
)

func TestSessions(t *testing.T) {
	t.Parallel()
	client := open(t, startServer(t).url())
	a, b := newPod(t, client, "a"), newPod(t, client, "b")
	ctx := context.Background()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC)
	whole := models.Session{
		UserID: "u", Over: true, Backlog: 1, From: at.Add(time.Second),
		Before: models.Absence{Since: at, Seen: []models.MessageID{messageID(0)}},
		Sent:   []models.Delivery{{ID: messageID(1), At: at.Add(-time.Hour)}, {ID: messageID(2), At: at}, {ID: messageID(3), At: at.Add(time.Microsecond)}},
	}
	for _, s := range []models.Session{whole, {UserID: "w", Before: models.Absence{Since: at}}} {
		if err := a.KeepSession(ctx, "id", s, time.Minute); err != nil {
			t.Fatal(err)
		}
		if ttl := client.PTTL(ctx, "parley:session:id").Val(); ttl <= 0 || ttl > time.Minute {
			t.Errorf("kept for %v", ttl)
		}
		got, found, err := b.TakeSession(ctx, "id")
		if err != nil || !found || !reflect.DeepEqual(got, s) {
			t.Errorf("got %+v, %v, %v; want %+v", got, found, err, s)
		}
		if _, found, err := a.TakeSession(ctx, "id"); found || err != nil {
			t.Errorf("taken twice: %v, %v", found, err)
		}
	}
	for _, junk := range []string{`{"sent":["x"]}`, `{"user":"u","since":9223372036854775807}`, `{"user":"u","since":1,"backlog":-1}`, `{"user":"","since":1}`, `[]`} {
		if err := client.Set(ctx, "parley:session:junk", junk, 0).Err(); err != nil {
			t.Fatal(err)
		}
		dropped := a.metrics.(*tally).of(oddSession)
		if _, found, err := a.TakeSession(ctx, "junk"); found || err != nil {
			t.Errorf("%s: %v, %v", junk, found, err)
		}
		if a.metrics.(*tally).of(oddSession) != dropped+1 {
			t.Errorf("%s was not counted", junk)
		}
	}
	// What an older version kept of somebody else's event.
	if err := client.Set(ctx, "parley:session:old", `{"user":"u","since":1767323045678901,"seen":["notice-1"],"sent":["notice-2","000000000000000000000003"],"steps":[1767323045678901,1]}`, 0).Err(); err != nil {
		t.Fatal(err)
	}
	s, found, err := a.TakeSession(ctx, "old")
	if err != nil || !found || len(s.Before.Seen) != 0 || len(s.Sent) != 1 || s.Sent[0].ID != messageID(3) {
		t.Errorf("%+v, %v, %v", s, found, err)
	}
}
