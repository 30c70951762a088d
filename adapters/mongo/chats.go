package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"parley/models"
)

// Chat returns a chat; found is false where there is none.
func (s *Store) Chat(ctx context.Context, id models.ChatID) (chat models.Chat, found bool, err error) {
	oid, err := objectID(string(id))
	if err != nil {
		return models.Chat{}, false, nil // no document can have such an id
	}
	if !s.byIDs {
		found, err := s.lookUp(ctx, []bson.ObjectID{oid})
		chat, ok := found[oid]
		return chat, ok, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout) // waiting for others included
	defer cancel()
	looked, err := s.chatMany.ask(ctx, oid)
	return looked.chat, looked.found, err
}

// looked is what a look-up found.
type looked struct {
	chat  models.Chat
	found bool
}

// answerChat looks several chats up at once. Who asks for the same one is given
// the same participants, which nobody changes.
func (s *Store) answerChat(ctx context.Context, ids []bson.ObjectID) ([]looked, error) {
	chats, err := s.lookUp(ctx, ids)
	if err != nil {
		return nil, err
	}
	answers := make([]looked, len(ids))
	for i, id := range ids {
		answers[i].chat, answers[i].found = chats[id]
	}
	return answers, nil
}

func (s *Store) lookUp(ctx context.Context, ids []bson.ObjectID) (map[bson.ObjectID]models.Chat, error) {
	chats := make(map[bson.ObjectID]models.Chat, len(ids))
	take := func(raw bson.Raw) {
		if id, ok := idOf(raw); ok {
			chats[id], _ = chatOf(raw)
		}
	}
	err := s.do(ctx, "chat", func(ctx context.Context) error {
		if len(ids) > 1 {
			return each(ctx, s.chats, anyOf(ids), options.Find(), take)
		}
		raw, err := one(s.chats.FindOne(ctx, byID(ids[0])))
		if err == nil && raw != nil {
			take(raw)
		}
		return err
	})
	return chats, err
}

// ChatsByID returns those of the chats that there are, in no order.
func (s *Store) ChatsByID(ctx context.Context, ids []models.ChatID) ([]models.Chat, error) {
	return s.findChats(ctx, "chats_by_id", bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: objectIDs(ids)}}}})
}

// SmallChatsOf returns the chats of any of the users that have no more than most
// participants, in no order.
func (s *Store) SmallChatsOf(ctx context.Context, most int, users ...models.UserID) ([]models.Chat, error) {
	var forms bson.A
	for _, u := range users {
		forms = append(forms, userForms(u)...)
	}
	return s.findChats(ctx, "small_chats_of", bson.D{
		{Key: "participants", Value: bson.D{{Key: "$in", Value: forms}}},
		{Key: fmt.Sprintf("participants.%d", most), Value: bson.D{{Key: "$exists", Value: false}}},
	})
}

func (s *Store) findChats(ctx context.Context, op string, filter bson.D) ([]models.Chat, error) {
	chats := []models.Chat{}
	err := s.do(ctx, op, func(ctx context.Context) error {
		return each(ctx, s.chats, filter, options.Find().SetBatchSize(idsBatch), func(raw bson.Raw) {
			if c, ok := chatOf(raw); ok {
				chats = append(chats, c)
			}
		})
	})
	if err != nil {
		return nil, err
	}
	return chats, nil
}

// CreateChat stores a new chat under its id; after an error it is not there.
func (s *Store) CreateChat(ctx context.Context, chat models.Chat) error {
	doc, err := chatDoc(chat)
	if err != nil {
		return models.Internal(err)
	}
	return s.do(ctx, "create_chat", func(ctx context.Context) error {
		_, err := s.chats.InsertOne(ctx, doc)
		if err != nil && !isDuplicate(err) && !unsent(err) {
			s.undo.take(ctx, s.chats, []bson.D{doc}, false)
		}
		return err
	})
}

// AddParticipant lets the user take part in the chat.
func (s *Store) AddParticipant(ctx context.Context, id models.ChatID, user models.UserID, at time.Time) (chat models.Chat, found bool, err error) {
	// Somebody who is there as a string must not be added again as an ObjectId,
	// which $addToSet by itself would do.
	chat, found, err = s.Chat(ctx, id)
	if err != nil || !found || chat.Has(user) {
		return chat, found, err
	}
	return s.changeChat(ctx, "add_participant", id, bson.D{
		{Key: "$addToSet", Value: bson.D{{Key: "participants", Value: userValue(user)}}},
		{Key: "$set", Value: bson.D{{Key: "updatedAt", Value: date(at)}}},
	})
}

// RemoveParticipant takes the user out of the chat, in every form.
func (s *Store) RemoveParticipant(ctx context.Context, id models.ChatID, user models.UserID, at time.Time) (chat models.Chat, found bool, err error) {
	return s.changeChat(ctx, "remove_participant", id, bson.D{
		{Key: "$pullAll", Value: bson.D{{Key: "participants", Value: userForms(user)}}},
		{Key: "$set", Value: bson.D{{Key: "updatedAt", Value: date(at)}}},
	})
}

// changeChat applies update and returns the chat as it is afterwards.
func (s *Store) changeChat(ctx context.Context, op string, id models.ChatID, update bson.D) (chat models.Chat, found bool, err error) {
	oid, err := objectID(string(id))
	if err != nil {
		return models.Chat{}, false, nil
	}
	after := options.FindOneAndUpdate().SetReturnDocument(options.After)
	err = s.do(ctx, op, func(ctx context.Context) error {
		raw, err := one(s.chats.FindOneAndUpdate(ctx, byID(oid), update, after))
		if err != nil || raw == nil {
			return err
		}
		chat, found = chatOf(raw)
		return nil
	})
	return chat, found, err
}

// one returns the document of a result, nil where there is none.
func one(r *mongo.SingleResult) (bson.Raw, error) {
	raw, err := r.Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, nil
	}
	return raw, err
}

// each hands every document found to f, which must not keep it.
func each(ctx context.Context, c *mongo.Collection, filter bson.D, o *options.FindOptionsBuilder, f func(bson.Raw)) error {
	return while(ctx, c, filter, o, func(raw bson.Raw) bool { f(raw); return true })
}

// while is each for as long as f wants more.
func while(ctx context.Context, c *mongo.Collection, filter bson.D, o *options.FindOptionsBuilder, f func(bson.Raw) bool) (err error) {
	cursor, err := c.Find(ctx, filter, o)
	if err != nil {
		return err
	}
	defer func() {
		if e := cursor.Close(ctx); err == nil && e != nil {
			err = fmt.Errorf("close cursor: %w", e)
		}
	}()
	for cursor.Next(ctx) {
		if !f(cursor.Current) {
			return nil
		}
	}
	return cursor.Err()
}
