package rooms

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"parley/models"
)

// standing is a database that answers nothing.
type standing struct {
	Absences
	Chats
	asked chan struct{}
}

func (s standing) stands(ctx context.Context) error {
	s.asked <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

func (s standing) SaveAbsence(ctx context.Context, _ models.UserID, _ models.Absence) error {
	return s.stands(ctx)
}

func (s standing) SmallChatsOf(ctx context.Context, _ int, _ ...models.UserID) ([]models.Chat, error) {
	return nil, s.stands(ctx)
}

// A pod that has no time left does not wait for a database that is away, to note
// who leaves or to tell of them.
func TestHurry(t *testing.T) {
	for name, leaves := range map[string]func(w *world){
		"noted": func(w *world) { w.parts(models.Departure{UserID: "bob", SocketID: "b1", At: w.now(), Welcomed: true}) },
		"told": func(w *world) {
			if w.svc.Untold(context.Background(), []models.Untold{{UserID: "bob"}}) == nil {
				w.t.Error("told of, and nobody was looked up")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.connect("bob", "b1")
				stands := standing{w.svc.Absences, w.svc.Chats, make(chan struct{}, 1)}
				w.svc.Absences, w.svc.Chats = stands, stands
				w.svc.Limits.PresenceTimeout, w.svc.Limits.StoreTimeout = time.Hour, time.Hour
				began := time.Now()
				done := make(chan struct{})
				go func() { defer close(done); leaves(w) }()
				<-stands.asked
				synctest.Wait()
				select {
				case <-done:
					t.Error("it did not wait while there was time")
				default:
				}
				w.svc.Hurry()
				<-done
				if took := time.Since(began); took > 0 {
					t.Errorf("it waited for %v", took)
				}
			})
		})
	}
}
