package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"parley/models"
)

// maxTogether is the size, about, of a request that is stored together with
// others: as many as go together stay below what one command may have.
const maxTogether = 128 << 10

// Insert stores all of them or none: what a failed insert left, or may yet
// leave, behind is deleted, later if the database is away now. Where it may, the
// error is models.ErrUnanswered, and whoever stores the same messages by
// InsertMissing has them for good.
func (s *Store) Insert(ctx context.Context, messages []models.Message) error {
	if len(messages) == 0 {
		return nil
	}
	docs, err := messageDocs(messages)
	if err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	insert := s.inserts.do
	if size(messages) > maxTogether {
		insert = alone(s.insertTogether)
	}
	outcome, err := insert(waiting, docs)
	if err == nil && outcome.err != nil {
		err = outcome.err
		s.undo.take(ctx, s.messages, outcome.left, outcome.answered)
	}
	return err
}

// size is about what the messages take.
func size(messages []models.Message) (n int) {
	for _, m := range messages {
		n += len(m.Text) + len(m.FileURL) + 256
	}
	return n
}

// alone is for a request that is too large to go with others.
func alone(together func(context.Context, [][]bson.D) ([]outcome, error)) func(context.Context, []bson.D) (outcome, error) {
	return func(ctx context.Context, docs []bson.D) (outcome, error) {
		outcomes, err := together(ctx, [][]bson.D{docs})
		return outcomes[0], err
	}
}

// outcome is what became of one request's documents: if it failed, left are
// those of it that are stored, or, without an answer, may be.
type outcome struct {
	err      error
	left     []bson.D
	answered bool
}

func (s *Store) insertTogether(ctx context.Context, requests [][]bson.D) (outcomes []outcome, _ error) {
	_ = s.do(ctx, "insert", func(ctx context.Context) (err error) {
		outcomes, err = together(ctx, s.messages, requests)
		return err
	}) // each is told its own
	return outcomes, nil
}

func (s *Store) claimTogether(ctx context.Context, requests [][]bson.D) (outcomes []outcome, _ error) {
	_ = s.do(ctx, "claim", func(ctx context.Context) (err error) {
		if outcomes, err = together(ctx, s.requests, requests); isDuplicate(err) {
			return nil // that some are taken is no fault
		}
		return err
	})
	return outcomes, nil
}

// together stores several requests in one command. Unordered, so that one that is
// refused does not end it for those behind.
func together(ctx context.Context, coll *mongo.Collection, requests [][]bson.D) ([]outcome, error) {
	_, err := coll.InsertMany(ctx, slices.Concat(requests...), options.InsertMany().SetOrdered(false))
	outcomes, at := make([]outcome, len(requests)), 0
	for i, docs := range requests {
		outcomes[i] = outcomeOf(docs, at, err)
		at += len(docs)
	}
	return outcomes, err
}

// outcomeOf says what an insert that ended with err means for the documents from
// the index at on. With an answer from the server those are left that it has not
// refused; those it has are not ours to delete. Without an answer it is all,
// unless it was never sent.
func outcomeOf(docs []bson.D, at int, err error) outcome {
	var bulk mongo.BulkWriteException
	switch {
	case err == nil:
		return outcome{}
	case unsent(err):
		return outcome{err: classify(err), answered: true}
	case !errors.As(err, &bulk):
		return outcome{err: classify(fmt.Errorf("%w: %w", models.ErrUnanswered, err)), left: docs}
	}
	mine := mongo.BulkWriteException{WriteConcernError: bulk.WriteConcernError, Labels: bulk.Labels}
	refused := make([]bool, len(docs))
	for _, e := range bulk.WriteErrors {
		if i := e.Index - at; i >= 0 && i < len(docs) {
			refused[i] = true
			mine.WriteErrors = append(mine.WriteErrors, e)
		}
	}
	if mine.WriteErrors == nil && mine.WriteConcernError == nil {
		return outcome{}
	}
	left := []bson.D{}
	for i, d := range docs {
		if !refused[i] {
			left = append(left, d)
		}
	}
	return outcome{err: classify(mine), left: left, answered: true}
}

// insertAttempts bounds the race of InsertMissing with a deletion.
const insertAttempts = 5

// InsertMissing stores those that are not stored yet; the others have these times
// from now on.
//
// Whoever tried to store them first may still be about to delete them, on
// another pod as well. That deletion asks for the updatedAt of the first
// attempt, so moving it on is what makes the messages safe.
func (s *Store) InsertMissing(ctx context.Context, messages []models.Message) error {
	if len(messages) == 0 {
		return nil
	}
	return s.do(ctx, "insert_missing", func(ctx context.Context) error {
		for _, m := range messages {
			if err := s.insertMissing(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) insertMissing(ctx context.Context, m models.Message) error {
	m.UpdatedAt = later(s.now(), m.UpdatedAt)
	doc, err := messageDoc(m)
	if err != nil {
		return models.Internal(err)
	}
	touch := bson.D{{Key: "$set", Value: bson.D{{Key: "createdAt", Value: date(m.CreatedAt)}, {Key: "updatedAt", Value: date(m.UpdatedAt)}}}}
	for range insertAttempts {
		if _, err = s.messages.InsertOne(ctx, doc); !isDuplicate(err) {
			return err
		}
		r, err := s.messages.UpdateOne(ctx, byID(doc[0].Value), touch)
		if err != nil || r.MatchedCount > 0 {
			return err
		}
	}
	return models.Unavailable("the database", fmt.Errorf("message %s comes and goes", m.ID))
}

// later returns now, but at least a millisecond after t.
func later(now, t time.Time) time.Time {
	if next := t.Add(time.Millisecond); now.Before(next) {
		return next
	}
	return now
}
