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
	// maxWide is how many bytes of participants are read to tell whose chats are
	// whose. Beyond it the users are asked for one by one, by the index alone.
	maxWide = 4 << 20
	// idsBatch is how many documents come in one answer, where they fit.
	idsBatch = 10_000
)

// ChatIDsOf returns which chats each of the users takes part in, in no order.
// Of one user the index knows it; a chat's participants, who may be many, are
// not read.
func (s *Store) ChatIDsOf(ctx context.Context, users ...models.UserID) (map[models.UserID][]models.ChatID, error) {
	return s.chatIDsOfMany.ask(ctx, users)
}

func (s *Store) answerChatIDsOf(ctx context.Context, asked [][]models.UserID) ([]map[models.UserID][]models.ChatID, error) {
	all := slices.Concat(asked...)
	slices.Sort(all)
	found, err := s.findChatIDsOf(ctx, slices.Compact(all))
	if err != nil {
		return nil, err
	}
	answers := make([]map[models.UserID][]models.ChatID, len(asked))
	for i, users := range asked {
		answers[i] = make(map[models.UserID][]models.ChatID, len(users))
		for _, u := range users {
			answers[i][u] = slices.Clone(found[u])
		}
	}
	return answers, nil
}

func (s *Store) findChatIDsOf(ctx context.Context, users []models.UserID) (map[models.UserID][]models.ChatID, error) {
	if len(users) > 1 {
		if found, few, err := s.chatIDsTogether(ctx, users); few || err != nil {
			return found, err
		}
	}
	var mu sync.Mutex
	found := make(map[models.UserID][]models.ChatID, len(users))
	err := sideBySide(ctx, users, func(ctx context.Context, u models.UserID) error {
		ids, err := s.chatIDsAlone(ctx, u)
		mu.Lock()
		defer mu.Unlock()
		found[u] = ids
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// chatIDsAlone asks for the ids, which are in the index beside the participant.
func (s *Store) chatIDsAlone(ctx context.Context, user models.UserID) (ids []models.ChatID, err error) {
	filter := bson.D{{Key: "participants", Value: bson.D{{Key: "$in", Value: userForms(user)}}}}
	o := options.Find().SetProjection(byID(1)).SetBatchSize(idsBatch)
	err = s.do(ctx, "chat_ids_of", func(ctx context.Context) error {
		return each(ctx, s.chats, filter, o, func(raw bson.Raw) {
			if id, ok := idOf(raw); ok {
				ids = append(ids, models.ChatID(id.Hex()))
			}
		})
	})
	return ids, err
}

// chatIDsTogether asks for the chats of all of them at once and looks whose
// each is; few is false where that is more to read than it is worth.
func (s *Store) chatIDsTogether(ctx context.Context, users []models.UserID) (found map[models.UserID][]models.ChatID, few bool, err error) {
	wanted := newWanted(users)
	filter := bson.D{{Key: "participants", Value: bson.D{{Key: "$in", Value: wanted.forms}}}}
	o := options.Find().SetProjection(bson.D{{Key: "participants", Value: 1}}).SetBatchSize(idsBatch)
	found = make(map[models.UserID][]models.ChatID, len(users))
	read := 0
	err = s.do(ctx, "chat_ids_of", func(ctx context.Context) error {
		return while(ctx, s.chats, filter, o, func(raw bson.Raw) bool {
			if id, ok := idOf(raw); ok {
				wanted.among(raw.Lookup("participants"), func(u models.UserID) {
					found[u] = append(found[u], models.ChatID(id.Hex()))
				})
			}
			read += len(raw)
			return read <= s.wide
		})
	})
	return found, read <= s.wide, err
}

// wanted finds some users among many participants without a word about the rest.
type wanted struct {
	forms bson.A
	ids   map[bson.ObjectID]models.UserID
	names map[string]models.UserID
}

func newWanted(users []models.UserID) *wanted {
	w := &wanted{ids: map[bson.ObjectID]models.UserID{}, names: map[string]models.UserID{}}
	for _, u := range users {
		forms := userForms(u)
		w.forms = append(w.forms, forms...)
		for _, f := range forms {
			switch f := f.(type) {
			case bson.ObjectID:
				w.ids[f] = u
			case string:
				w.names[f] = u
			}
		}
	}
	return w
}

// among calls f once for each of the users who is there, in whatever form.
func (w *wanted) among(participants bson.RawValue, f func(models.UserID)) {
	values := []bson.RawValue{participants}
	if array, ok := participants.ArrayOK(); ok {
		values, _ = array.Values()
	}
	var there []models.UserID
	for _, v := range values {
		u, ok := models.UserID(""), false
		switch v.Type {
		case bson.TypeObjectID:
			u, ok = w.ids[v.ObjectID()]
		case bson.TypeString:
			u, ok = w.names[v.StringValue()]
		default: // nobody
		}
		if ok && !slices.Contains(there, u) {
			there = append(there, u)
			f(u)
		}
	}
}
