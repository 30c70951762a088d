package mongo_test

import (
	"reflect"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"parley/adapters/mongo"
	"parley/models"
)

// A session that Redis could not take is kept for as long as it is of use, and no
// longer; what somebody else put there counts for nothing.
func TestSavedSessions(t *testing.T) {
	t.Parallel()
	for name, gather := range map[string]bool{"each by itself": false, "together": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := at(0)
			var mu sync.Mutex
			f := open(t, func(o *mongo.Options) {
				o.Gather = gather
				o.Now = func() time.Time {
					mu.Lock()
					defer mu.Unlock()
					return now
				}
			})
			ctx := t.Context()
			must(t, f.EnsureIndexes(ctx))
			id := models.SessionID("one")
			kept := models.Session{
				UserID: hexUser, Before: models.Had{Heard: at(-500), Seen: []models.MessageID{f.NewMessageID()}}, Came: at(-400),
				Sent: []models.Delivery{{ID: f.NewMessageID(), At: at(-300)}, {ID: f.NewMessageID(), At: at(-200)}}, Backlog: 1, From: at(-350), Unread: 1,
			}
			var all sync.WaitGroup
			for _, each := range []models.SessionID{id, "two", "three", id} {
				all.Go(func() {
					if err := f.SaveSession(ctx, each, kept, time.Minute); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			for range 2 { // it stays
				if got, found, err := f.SavedSession(ctx, id); err != nil || !found || !reflect.DeepEqual(got, kept) {
					t.Fatalf("%+v, %v, %v", got, found, err)
				}
			}
			until := bson.NewDateTimeFromTime(at(100_000))
			_, err := f.raw.Collection("parley_sessions").InsertMany(ctx, []any{
				bson.D{{Key: "_id", Value: "text"}, {Key: "note", Value: "{"}, {Key: "until", Value: until}},
				bson.D{{Key: "_id", Value: "number"}, {Key: "note", Value: 1}, {Key: "until", Value: until}},
				bson.D{{Key: "_id", Value: "endless"}, {Key: "note", Value: "{}"}},
			})
			must(t, err)
			for _, odd := range []models.SessionID{"text", "number", "endless", "none"} {
				if _, found, err := f.SavedSession(ctx, odd); found || err != nil {
					t.Errorf("%s: %v, %v", odd, found, err)
				}
			}
			mu.Lock()
			now = at(61_000)
			mu.Unlock()
			if _, found, err := f.SavedSession(ctx, id); found || err != nil {
				t.Errorf("when it is over: %v, %v", found, err)
			}
			must(t, f.SaveSession(ctx, "four", kept, time.Minute))
			if n := f.count(t, "parley_sessions"); n != 4 {
				t.Errorf("%d are there", n)
			}
		})
	}
}
