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

func TestStored(t *testing.T) {
	docs := []bson.D{{}, {}, {}}
	tests := []struct {
		name     string
		err      error
		left     int
		answered bool
	}{
		{"refused in the middle", mongo.BulkWriteException{WriteErrors: []mongo.BulkWriteError{{WriteError: mongo.WriteError{Index: 1}}}}, 1, true},
		{"refused at the start", mongo.BulkWriteException{WriteErrors: []mongo.BulkWriteError{{WriteError: mongo.WriteError{Index: 0}}}}, 0, true},
		{"not replicated", mongo.BulkWriteException{WriteConcernError: &mongo.WriteConcernError{}}, 3, true},
		{"no answer", context.DeadlineExceeded, 3, false},
		{"no connection", clearedPool{}, 0, true},
		{"not sent", mongo.ErrClientDisconnected, 0, true},
	}
	for _, tt := range tests {
		if left, answered := stored(docs, tt.err); len(left) != tt.left || answered != tt.answered {
			t.Errorf("%s: %d %v", tt.name, len(left), answered)
		}
	}
}
