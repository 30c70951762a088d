package mongo

import (
	"context"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"parley/models"
)

// Latest returns the newest message of each chat that has one.
func (s *Store) Latest(ctx context.Context, chats []models.ChatID) (map[models.ChatID]models.Message, error) {
	ids := chatIDs(chats)
	latest := make(map[models.ChatID]models.Message, len(ids))
	if len(ids) == 0 {
		return latest, nil
	}
	err := s.do(ctx, "latest", func(ctx context.Context) error {
		return s.parallel(ctx, ids, latest)
	})
	if err != nil {
		return nil, err
	}
	return latest, nil
}

// parallel asks for one chat at a time, a few side by side, each of which the
// index answers with one document, and stops at the first error.
func (s *Store) parallel(ctx context.Context, ids bson.A, into map[models.ChatID]models.Message) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := make(chan any)
	for range min(parallelReads, len(ids)) {
		wg.Go(func() {
			for id := range next {
				filter := bson.D{{Key: "chatId", Value: id}, {Key: "createdAt", Value: dated}}
				raw, err := one(s.messages.FindOne(ctx, filter, options.FindOne().SetSort(newestFirst)))
				if err != nil {
					cancel(err)
					return
				}
				if m, ok := messageOf(raw); ok {
					mu.Lock()
					into[m.ChatID] = m
					mu.Unlock()
				}
			}
		})
	}
hand:
	for _, id := range ids {
		select {
		case next <- id:
		case <-ctx.Done():
			break hand
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}
