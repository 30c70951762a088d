package mongo_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/adapters/mongo"
	"parley/models"
)

// Asked together, each gets what they would get alone.
func TestGatheredAnswers(t *testing.T) {
	t.Parallel()
	f := open(t, func(o *mongo.Options) { o.Gather = true })
	alone := open(t, func(o *mongo.Options) { o.URI = f.uri.String() })
	ctx := t.Context()
	const people = 40
	user := func(i int) models.UserID { return models.UserID(fmt.Sprintf("%024x", i+1)) }
	var chats []models.ChatID
	for i := range people / 4 {
		c := models.Chat{ID: f.NewChatID(), Participants: []models.UserID{user(4 * i), user(4*i + 1), user(4*i + 2), user((4*i + 5) % people)}, CreatedAt: base, UpdatedAt: base}
		must(t, f.CreateChat(ctx, c))
		chats = append(chats, c.ID)
		for n := range 20 + i {
			f.insert(t, f.text(c.ID, 100*i+n))
		}
	}
	ids := func(of map[models.UserID][]models.ChatID, u models.UserID) []models.ChatID {
		slices.Sort(of[u])
		return of[u]
	}
	var all sync.WaitGroup
	for i := range 2 * people {
		if i == people {
			all.Wait()
		}
		all.Go(func() {
			i := i % people
			got, err := f.ChatIDsOf(ctx, user(i))
			want, werr := alone.ChatIDsOf(ctx, user(i))
			if mine, alone := ids(got, user(i)), ids(want, user(i)); err != nil || werr != nil || i%4 != 3 && len(alone) == 0 || !slices.Equal(mine, alone) {
				t.Errorf("chats of %d: %v, alone %v; %v %v", i, mine, alone, err, werr)
			}
		})
		all.Go(func() {
			// Some want few of many, some of several chats, some of none.
			of, since, limit := chats[i%len(chats):min(len(chats), i%len(chats)+i%3)], at(100*(i%7)+10), 1+20*(i%4)
			if i >= people { // so few that together they do not have room for what one wants
				limit = 1 + i%4
			}
			got, err := f.Since(ctx, of, since, limit)
			want, werr := alone.Since(ctx, of, since, limit)
			same := slices.EqualFunc(got, want, func(a, b models.Message) bool { return a.ID == b.ID })
			if err != nil || werr != nil || !same {
				t.Errorf("%d: %d messages, alone %d; %v %v", i, len(got), len(want), err, werr)
			}
		})
	}
	all.Wait()
	f.metrics.mu.Lock()
	defer f.metrics.mu.Unlock()
	if n := f.metrics.timed["chat_ids_of"]; n >= 2*people {
		t.Errorf("%d people, %d queries", people, n)
	}
}

// Who gives up is answered at once and costs the others nothing.
func TestGatheredAndGivenUp(t *testing.T) {
	t.Parallel()
	f := open(t, func(o *mongo.Options) { o.Gather = true })
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if i%2 == 0 {
				cancel()
			}
			defer cancel()
			_, err := f.ChatIDsOf(ctx, "somebody")
			if code := models.CodeOf(err); i%2 == 0 && code != models.CodeUnavailable || i%2 == 1 && err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
}
