package mongo_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"parley/adapters/mongo"
	"parley/models"
)

func TestMoves(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*mongo.Options){
		"each by itself": nil,
		"together":       func(o *mongo.Options) { o.Gather = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t, change)
			ctx := t.Context()
			must(t, f.EnsureIndexes(ctx))
			chats := []models.ChatID{f.NewChatID(), f.NewChatID()}
			moves := []models.Move{
				{UserID: hexUser, ChatID: chats[0], At: at(1)},
				{UserID: nameUser, ChatID: chats[0], At: at(2)},
				{UserID: hexUser, ChatID: chats[1], At: at(3)},
				{UserID: hexUser, ChatID: chats[0], Added: true, At: at(4)},
			}
			for i := range moves { // the order in which they are stored says nothing
				must(t, f.SaveMove(ctx, moves[len(moves)-1-i]))
			}
			_, err := f.raw.Collection("parley_moves").InsertMany(ctx, []any{
				bson.D{{Key: "user", Value: string(hexUser)}, {Key: "at", Value: bson.NewDateTimeFromTime(at(9))}},
				bson.D{{Key: "user", Value: string(hexUser)}, {Key: "chat", Value: oid(t, string(chats[0]))}, {Key: "added", Value: "yes"}, {Key: "at", Value: bson.NewDateTimeFromTime(at(9))}},
			})
			must(t, err)
			for _, tt := range []struct {
				since time.Time
				users []models.UserID
				want  []models.Move
			}{
				{at(0), []models.UserID{hexUser, nameUser}, moves},
				{at(1), []models.UserID{hexUser}, []models.Move{moves[0], moves[2], moves[3]}},
				{at(1).Add(500 * time.Microsecond), []models.UserID{hexUser}, []models.Move{moves[0], moves[2], moves[3]}},
				{at(4), []models.UserID{hexUser, nameUser}, moves[3:]},
				{at(5), []models.UserID{nameUser}, nil},
				{at(0), []models.UserID{"nobody"}, nil},
				{at(0), nil, nil},
			} {
				if got, err := f.Moves(ctx, tt.since, tt.users...); err != nil || !slices.Equal(got, tt.want) {
					t.Errorf("of %v since %v: %+v, %v, want %+v", tt.users, tt.since, got, err, tt.want)
				}
			}
			if f.metrics.dropped("odd_move") == 0 {
				t.Error("what cannot be read is not counted")
			}
		})
	}
}

// Many who ask at once get each their own, in a few round trips.
func TestGatheredMoves(t *testing.T) {
	t.Parallel()
	f := open(t, nil)
	ctx := t.Context()
	const people = 40
	user := func(i int) models.UserID { return models.UserID(fmt.Sprintf("user-%d", i)) }
	chat := f.NewChatID()
	for i := range people {
		for n := range 2 {
			must(t, f.SaveMove(ctx, models.Move{UserID: user(i), ChatID: chat, Added: n == 1, At: at(n)}))
		}
	}
	var all sync.WaitGroup
	for i := range people {
		all.Go(func() {
			got, err := f.Moves(ctx, at(i%3), user(i))
			want := []models.Move{{UserID: user(i), ChatID: chat, At: at(0)}, {UserID: user(i), ChatID: chat, Added: true, At: at(1)}}
			if err != nil || !slices.Equal(got, want[min(i%3, 2):]) {
				t.Errorf("%d: %+v, %v", i, got, err)
			}
		})
	}
	all.Wait()
	f.metrics.mu.Lock()
	defer f.metrics.mu.Unlock()
	if n := f.metrics.timed["moves"]; n > people/2 {
		t.Errorf("%d people in %d round trips", people, n)
	}
}
