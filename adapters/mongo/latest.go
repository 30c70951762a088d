package mongo

import (
	"context"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"parley/models"
)

const (
	// latestRounds and latestEach bound what is read of many chats at once: so many
	// times the newest messages of up to maxScans of them, so many for each.
	latestRounds = 2
	latestEach   = 3
)

// Latest returns the newest message of each chat that has one.
//
// The newest messages of many chats together are, mostly, the newest of each of
// them. Those of whom nothing was among them are asked for again together, as
// long as that helps, and then one by one: the index finds each with one seek.
func (s *Store) Latest(ctx context.Context, chats []models.ChatID) (map[models.ChatID]models.Message, error) {
	l := &latest{found: make(map[models.ChatID]models.Message, len(chats))}
	rest := objectIDs(chats)
	for range latestRounds {
		if len(rest) <= parallelReads {
			break
		}
		before := len(rest)
		l.rest = nil
		err := sideBySide(ctx, slices.Collect(slices.Chunk(rest, maxScans)), func(ctx context.Context, ids []bson.ObjectID) error {
			return s.latestTogether(ctx, ids, l)
		})
		if err != nil {
			return nil, err
		}
		if rest = l.rest; len(rest) > before/2 {
			break // a few chats have more to say than all others
		}
	}
	err := sideBySide(ctx, rest, func(ctx context.Context, id bson.ObjectID) error {
		return s.latestAlone(ctx, id, l)
	})
	if err != nil {
		return nil, err
	}
	return l.found, nil
}

// latest is what several queries find.
type latest struct {
	mu    sync.Mutex
	found map[models.ChatID]models.Message
	rest  []bson.ObjectID // of whom it is not known yet
}

func (s *Store) latestTogether(ctx context.Context, ids []bson.ObjectID, l *latest) error {
	limit := latestEach * len(ids)
	filter := bson.D{{Key: "chatId", Value: bson.D{{Key: "$in", Value: ids}}}, {Key: "createdAt", Value: dated}}
	o := options.Find().SetSort(newestFirst).SetLimit(int64(limit)).SetBatchSize(int32(limit) + 1)
	newest := make(map[bson.ObjectID]bool, len(ids))
	read := 0
	return s.do(ctx, "latest", func(ctx context.Context) error {
		err := each(ctx, s.messages, filter, o, func(raw bson.Raw) {
			read++
			chat, _ := raw.Lookup("chatId").ObjectIDOK()
			if newest[chat] {
				return
			}
			newest[chat] = true
			l.add(raw)
		})
		if err == nil && read == limit {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.rest = append(l.rest, slices.DeleteFunc(slices.Clone(ids), func(id bson.ObjectID) bool { return newest[id] })...)
		}
		return err
	})
}

func (s *Store) latestAlone(ctx context.Context, id bson.ObjectID, l *latest) error {
	filter := bson.D{{Key: "chatId", Value: id}, {Key: "createdAt", Value: dated}}
	return s.do(ctx, "latest", func(ctx context.Context) error {
		raw, err := one(s.messages.FindOne(ctx, filter, options.FindOne().SetSort(newestFirst)))
		l.add(raw)
		return err
	})
}

func (l *latest) add(raw bson.Raw) {
	if m, ok := messageOf(raw); ok {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.found[m.ChatID] = m
	}
}
