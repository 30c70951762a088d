package mongo

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"parley/models"
)

// Request returns what a key stands for; found is false for a free key.
func (s *Store) Request(ctx context.Context, key string) (request models.Request, found bool, err error) {
	err = s.do(ctx, "request", func(ctx context.Context) error {
		raw, err := one(s.requests.FindOne(ctx, byID(key)))
		if err != nil || raw == nil {
			return err
		}
		request, found = requestOf(key, raw), true
		return nil
	})
	return request, found, err
}

func requestOf(key string, raw bson.Raw) models.Request {
	r := models.Request{Key: key}
	r.Done, _ = raw.Lookup("done").BooleanOK()
	r.ClaimedAt, _ = dateOf(raw, "claimedAt")
	array, _ := raw.Lookup("messages").ArrayOK()
	values, _ := array.Values()
	for _, v := range values {
		if d, ok := v.DocumentOK(); ok {
			if m, ok := messageOf(d); ok {
				r.Messages = append(r.Messages, m)
			}
		}
	}
	return r
}

// Claim stores the request unless the key is taken. The _id decides: of two
// claims at once the database lets one in.
func (s *Store) Claim(ctx context.Context, request models.Request) (claimed bool, err error) {
	messages, err := messageDocs(request.Messages)
	if err != nil {
		return false, err
	}
	doc := bson.D{
		{Key: "_id", Value: request.Key},
		{Key: "messages", Value: messages},
		{Key: "done", Value: request.Done},
		{Key: "claimedAt", Value: date(request.ClaimedAt)},
	}
	waiting, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	claim := s.claims.do
	if size(request.Messages) > maxTogether {
		claim = alone(s.claimTogether)
	}
	outcome, err := claim(waiting, []bson.D{doc})
	if err == nil && !isDuplicate(outcome.err) {
		err = outcome.err
	}
	return err == nil && outcome.err == nil, err
}

// TakeOver puts the request in the place of a stale claim, if that is still the one
// made at claimedAt.
func (s *Store) TakeOver(ctx context.Context, claimedAt time.Time, request models.Request) (taken bool, err error) {
	now := request.ClaimedAt
	if date(now) <= date(claimedAt) && models.Plausible(claimedAt, now) {
		return false, nil // a claim that does not get younger would be taken over again at once
	}
	messages, err := messageDocs(request.Messages)
	if err != nil {
		return false, err
	}
	filter := append(byID(request.Key), bson.E{Key: "done", Value: false})
	if !claimedAt.IsZero() { // else there is no such date, and nobody's claim to respect
		filter = append(filter, bson.E{Key: "claimedAt", Value: date(claimedAt)})
	}
	update := bson.D{{Key: "$set", Value: bson.D{{Key: "claimedAt", Value: date(now)}, {Key: "messages", Value: messages}}}}
	err = s.do(ctx, "take_over", func(ctx context.Context) error {
		r, err := s.requests.UpdateOne(ctx, filter, update)
		if err != nil {
			return err
		}
		taken = r.ModifiedCount == 1
		return nil
	})
	return taken, err
}

var errNoRequest = errors.New("no such request")

// Finish notes that the requests' messages are stored.
func (s *Store) Finish(ctx context.Context, keys ...string) error {
	update := bson.D{{Key: "$set", Value: bson.D{{Key: "done", Value: true}}}}
	return s.do(ctx, "finish", func(ctx context.Context) error {
		found := int64(0)
		note := func(r *mongo.UpdateResult, err error) error {
			if err == nil {
				found += r.MatchedCount
			}
			return err
		}
		if len(keys) > 1 && s.byIDs {
			if err := note(s.requests.UpdateMany(ctx, anyOf(keys), update)); err != nil {
				return err
			}
		} else {
			for _, key := range keys {
				if err := note(s.requests.UpdateOne(ctx, byID(key), update)); err != nil {
					return err
				}
			}
		}
		if found < int64(len(keys)) {
			return errNoRequest
		}
		return nil
	})
}

// Forget gives a claimed key back after a refusal.
func (s *Store) Forget(ctx context.Context, key string) error {
	return s.do(ctx, "forget", func(ctx context.Context) error {
		_, err := s.requests.DeleteOne(ctx, byID(key))
		return err
	})
}
