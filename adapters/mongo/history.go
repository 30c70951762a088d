package mongo

import (
	"context"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"parley/models"
)

// The order of messages is (createdAt, _id). A document whose createdAt is no
// Date has no place in it, so lists leave it out rather than show it on one
// page too many or too few.
var (
	oldestFirst = bson.D{{Key: "createdAt", Value: 1}, {Key: "_id", Value: 1}}
	newestFirst = bson.D{{Key: "createdAt", Value: -1}, {Key: "_id", Value: -1}}
	dated       = bson.D{{Key: "$type", Value: "date"}}
)

// Message returns a message; found is false where there is none.
func (s *Store) Message(ctx context.Context, id models.MessageID) (message models.Message, found bool, err error) {
	raw, err := s.rawMessage(ctx, id)
	if err != nil || raw == nil {
		return models.Message{}, false, err
	}
	message, found = messageOf(raw)
	return message, found, nil
}

func (s *Store) rawMessage(ctx context.Context, id models.MessageID) (raw bson.Raw, err error) {
	oid, err := objectID(string(id))
	if err != nil {
		return nil, nil
	}
	err = s.do(ctx, "message", func(ctx context.Context) (err error) {
		raw, err = one(s.messages.FindOne(ctx, byID(oid)))
		return err
	})
	return raw, err
}

// Since returns the newest limit messages of the chats created at or after
// since, oldest first. One that says it was created at a time to come is none of
// them until then: it would be sent again each time, and crowd out the others.
func (s *Store) Since(ctx context.Context, chats []models.ChatID, since time.Time, limit int) ([]models.Message, error) {
	return s.sinceMany.ask(ctx, sinceAsked{chats: chats, since: since, limit: limit})
}

// History returns a page of a chat, newest first. With After alone it is the
// page next to that message, else the page next to Before, or to the end.
func (s *Store) History(ctx context.Context, chat models.ChatID, page models.Page) (messages []models.Message, found bool, err error) {
	oid, err := objectID(string(chat))
	if err != nil {
		return nil, false, nil
	}
	var before, after *place
	if before, err = s.place(ctx, oid, page.Before); err != nil {
		return nil, false, err
	}
	if after, err = s.place(ctx, oid, page.After); err != nil {
		return nil, false, err
	}
	if (page.Before != "" && before == nil) || (page.After != "" && after == nil) {
		return nil, false, nil
	}
	if page.Limit <= 0 {
		return nil, true, nil
	}
	upwards := after != nil && before == nil
	order := newestFirst
	if upwards {
		order = oldestFirst
	}
	messages, err = s.list(ctx, "history", between(oid, before, after), order, page.Limit)
	if upwards {
		slices.Reverse(messages)
	}
	return messages, err == nil, err
}

// place is where a message stands in the order.
type place struct {
	at bson.DateTime
	id bson.ObjectID
}

// place looks a cursor up; nil where the chat has no such message.
func (s *Store) place(ctx context.Context, chat bson.ObjectID, id models.MessageID) (*place, error) {
	if id == "" {
		return nil, nil
	}
	raw, err := s.rawMessage(ctx, id)
	if err != nil || raw == nil {
		return nil, err
	}
	oid, isID := idOf(raw)
	in, isChat := raw.Lookup("chatId").ObjectIDOK()
	at, isDate := raw.Lookup("createdAt").DateTimeOK()
	if !isID || !isChat || !isDate || in != chat {
		return nil, nil
	}
	return &place{at: bson.DateTime(at), id: oid}, nil
}

// between is the filter for the messages older than before and newer than
// after. The bound on createdAt stands outside the $or so that the index
// (chatId, createdAt, _id) serves both the filter and the order.
func between(chat bson.ObjectID, before, after *place) bson.D {
	bounds := bson.D{}
	var and bson.A
	if before == nil && after == nil {
		bounds = dated
	}
	if before != nil {
		bounds = append(bounds, bson.E{Key: "$lte", Value: before.at})
		and = append(and, either("$lt", *before))
	}
	if after != nil {
		bounds = append(bounds, bson.E{Key: "$gte", Value: after.at})
		and = append(and, either("$gt", *after))
	}
	filter := bson.D{{Key: "chatId", Value: chat}, {Key: "createdAt", Value: bounds}}
	if and != nil {
		filter = append(filter, bson.E{Key: "$and", Value: and})
	}
	return filter
}

func either(op string, p place) bson.D {
	return bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "createdAt", Value: bson.D{{Key: op, Value: p.at}}}},
		bson.D{{Key: "_id", Value: bson.D{{Key: op, Value: p.id}}}},
	}}}
}

// list reads up to limit messages.
func (s *Store) list(ctx context.Context, op string, filter, order bson.D, limit int) ([]models.Message, error) {
	messages := []models.Message{}
	o := options.Find().SetSort(order).SetLimit(int64(limit)).SetBatchSize(int32(min(limit, idsBatch)) + 1)
	err := s.do(ctx, op, func(ctx context.Context) error {
		return each(ctx, s.messages, filter, o, func(raw bson.Raw) {
			if m, ok := messageOf(raw); ok {
				messages = append(messages, m)
			}
		})
	})
	if err != nil {
		return nil, err
	}
	return messages, nil
}
