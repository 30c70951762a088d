package mongo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"parley/models"
)

// clearedPool stands for the driver's pool-cleared error, which has no exported name.
type clearedPool struct{}

func (clearedPool) Error() string   { return "pool cleared" }
func (clearedPool) Retryable() bool { return true }

func TestClassify(t *testing.T) {
	tests := []struct {
		err  error
		want models.Code
	}{
		{context.DeadlineExceeded, models.CodeUnavailable},
		{fmt.Errorf("x: %w", context.Canceled), models.CodeUnavailable},
		{mongo.CommandError{Code: 10107}, models.CodeUnavailable},
		{mongo.CommandError{Code: 91}, models.CodeUnavailable},
		{mongo.CommandError{Labels: []string{"NetworkError"}}, models.CodeUnavailable},
		{mongo.CommandError{Code: 1, Message: "SQL logic: database is locked (5)"}, models.CodeUnavailable},
		{mongo.WriteException{WriteConcernError: &mongo.WriteConcernError{Code: 64}}, models.CodeUnavailable},
		{mongo.BulkWriteException{WriteConcernError: &mongo.WriteConcernError{Code: 100}}, models.CodeUnavailable},
		{clearedPool{}, models.CodeUnavailable},
		{io.ErrUnexpectedEOF, models.CodeUnavailable},
		{mongo.ErrClientDisconnected, models.CodeUnavailable},
		{mongo.CommandError{Code: 13}, models.CodeInternal},
		{mongo.WriteException{WriteErrors: []mongo.WriteError{{Code: 11000}}}, models.CodeInternal},
		{errors.New("odd"), models.CodeInternal},
		{models.Refuse(models.CodeChatNotFound, "no"), models.CodeChatNotFound},
	}
	for _, tt := range tests {
		if got := models.CodeOf(classify(tt.err)); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.err, got, tt.want)
		}
		if !errors.Is(classify(tt.err), tt.err) && tt.want == models.CodeUnavailable && errors.Is(tt.err, context.Canceled) {
			t.Errorf("%v: the cause is lost", tt.err)
		}
	}
	if classify(nil) != nil {
		t.Error("no error became one")
	}
}

func TestOutcomeOf(t *testing.T) {
	docs := []bson.D{{}, {}, {}}
	refused := func(at ...int) error {
		var e mongo.BulkWriteException
		for _, i := range at {
			e.WriteErrors = append(e.WriteErrors, mongo.BulkWriteError{WriteError: mongo.WriteError{Index: i}})
		}
		return e
	}
	const at = 5 // those of others stand before and behind
	tests := []struct {
		name     string
		err      error
		left     int
		answered bool
		fine     bool
	}{
		{"stored", nil, 0, false, true},
		{"refused in the middle", refused(at + 1), 2, true, false},
		{"refused at the start", refused(at), 2, true, false},
		{"refused whole", refused(at, at+1, at+2), 0, true, false},
		{"a neighbour's refused", refused(at-1, at+3), 0, false, true},
		{"not replicated", mongo.BulkWriteException{WriteConcernError: &mongo.WriteConcernError{}}, 3, true, false},
		{"no answer", context.DeadlineExceeded, 3, false, false},
		{"no connection", clearedPool{}, 0, true, false},
		{"not sent", mongo.ErrClientDisconnected, 0, true, false},
	}
	for _, tt := range tests {
		if o := outcomeOf(docs, at, tt.err); len(o.left) != tt.left || o.answered != tt.answered || (o.err == nil) != tt.fine {
			t.Errorf("%s: %d %v %v", tt.name, len(o.left), o.answered, o.err)
		}
	}
}
