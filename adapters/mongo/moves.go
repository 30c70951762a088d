package mongo

import (
	"cmp"
	"context"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"parley/models"
)

// oddMove is a move that cannot be read: it counts for none.
const oddMove = "odd_move"

// SaveMove notes a move. One whose answer is lost may be there, or come to be
// there, all the same.
func (s *Store) SaveMove(ctx context.Context, move models.Move) error {
	chat, err := objectID(string(move.ChatID))
	if err != nil {
		return models.Internal(err)
	}
	return s.do(ctx, "save_move", func(ctx context.Context) error {
		_, err := s.moves.InsertOne(ctx, bson.D{
			{Key: "_id", Value: s.ids.next()},
			{Key: "user", Value: string(move.UserID)},
			{Key: "chat", Value: chat},
			{Key: "added", Value: move.Added},
			{Key: "at", Value: date(move.At)},
		})
		return err
	})
}

// movesAsked is a question of Moves.
type movesAsked struct {
	users []models.UserID
	since time.Time
}

// Moves returns those of the users at or after since, oldest first.
func (s *Store) Moves(ctx context.Context, since time.Time, users ...models.UserID) ([]models.Move, error) {
	return s.movesMany.ask(ctx, movesAsked{users, since})
}

func (s *Store) answerMoves(ctx context.Context, asked []movesAsked) ([][]models.Move, error) {
	since := asked[0].since
	who := map[models.UserID][]int{}
	for i, q := range asked {
		if q.since.Before(since) {
			since = q.since
		}
		for _, u := range q.users {
			if !slices.Contains(who[u], i) {
				who[u] = append(who[u], i)
			}
		}
	}
	answers := make([][]models.Move, len(asked))
	err := s.findMoves(ctx, who, since, func(m models.Move) {
		for _, i := range who[m.UserID] {
			if !m.At.Before(time.UnixMilli(int64(date(asked[i].since)))) { // as the database compares it
				answers[i] = append(answers[i], m)
			}
		}
	})
	for _, moves := range answers {
		slices.SortStableFunc(moves, func(a, b models.Move) int { return a.At.Compare(b.At) })
	}
	return answers, err
}

// findMoves calls f with each move of those who are asked for.
func (s *Store) findMoves(ctx context.Context, who map[models.UserID][]int, since time.Time, f func(models.Move)) error {
	users := make(bson.A, 0, len(who))
	for u := range who {
		users = append(users, string(u))
	}
	slices.SortFunc(users, func(a, b any) int { return cmp.Compare(a.(string), b.(string)) }) //nolint:forcetypeassert // just made
	filter := bson.D{
		{Key: "user", Value: bson.D{{Key: "$in", Value: users}}},
		{Key: "at", Value: bson.D{{Key: "$gte", Value: date(since)}}},
	}
	return s.do(ctx, "moves", func(ctx context.Context) error {
		return each(ctx, s.moves, filter, options.Find().SetBatchSize(idsBatch), func(raw bson.Raw) {
			user, isText := raw.Lookup("user").StringValueOK()
			chat, isID := raw.Lookup("chat").ObjectIDOK()
			added, isBool := raw.Lookup("added").BooleanOK()
			at, dated := dateOf(raw, "at")
			if !isText || !isID || !isBool || !dated {
				s.metrics.Dropped(oddMove)
				return
			}
			f(models.Move{UserID: models.UserID(user), ChatID: models.ChatID(chat.Hex()), Added: added, At: at})
		})
	})
}
