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
	asked chan struct{}
}

func (s standing) SaveAbsence(ctx context.Context, _ models.UserID, _ models.Absence) error {
	close(s.asked)
	<-ctx.Done()
	return ctx.Err()
}

// A pod that has no time left does not wait for what is noted of those who leave.
func TestHurry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.connect("bob", "b1")
		asked := make(chan struct{})
		w.svc.Absences = standing{w.svc.Absences, asked}
		w.svc.Limits.PresenceTimeout = time.Hour
		began := time.Now()
		left := make(chan struct{})
		go func() { defer close(left); w.disconnect("bob", "b1") }()
		<-asked
		synctest.Wait()
		select {
		case <-left:
			t.Error("it did not wait while there was time")
		default:
		}
		w.svc.Hurry()
		<-left
		if took := time.Since(began); took > 0 {
			t.Errorf("it waited for %v", took)
		}
		if n := len(w.sockets["bob"]); n > 0 {
			t.Error("it is still there")
		}
	})
}
