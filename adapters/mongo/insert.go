package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"parley/models"
)

// Insert stores all of them or none: what a failed insert left, or may yet
// leave, behind is deleted, later if the database is away now.
func (s *Store) Insert(ctx context.Context, messages []models.Message) error {
	if len(messages) == 0 {
		return nil
	}
	docs, err := messageDocs(messages)
	if err != nil {
		return err
	}
	return s.do(ctx, "insert", func(ctx context.Context) error {
		_, err := s.messages.InsertMany(ctx, docs)
		if err != nil {
			left, answered := stored(docs, err)
			s.undo.take(ctx, s.messages, left, answered)
		}
		return err
	})
}

// stored returns those documents that a failed ordered insert may have stored.
// With an answer from the server it is those before the first refused one; that
// one, and those after, are not ours to delete. Without an answer it is all,
// unless it was never sent.
func stored(docs []bson.D, err error) (left []bson.D, answered bool) {
	if unsent(err) {
		return nil, true
	}
	var bulk mongo.BulkWriteException
	if !errors.As(err, &bulk) {
		return docs, false
	}
	first := len(docs)
	for _, e := range bulk.WriteErrors {
		first = min(first, e.Index)
	}
	return docs[:max(first, 0)], true
}

// insertAttempts bounds the race of InsertMissing with a deletion.
const insertAttempts = 5

// InsertMissing stores those that are not stored yet.
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
	touch := bson.D{{Key: "$set", Value: bson.D{{Key: "updatedAt", Value: date(m.UpdatedAt)}}}}
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
