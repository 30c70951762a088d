package hub

import (
	"testing"
	"time"

	"parley/models"
)

// marked is how far was heard when, as it is told.
type marked struct{ now, then time.Time }

func (m *marked) Heard() time.Time            { return m.now }
func (m *marked) HeardAt(time.Time) time.Time { return m.then }

func TestNothingIsForgottenThatIsNotKnownToBeHeard(t *testing.T) {
	marks := &marked{}
	s, err := New(Options{Encode: encode, Marks: marks, RememberFor: time.Minute, PingInterval: 10 * time.Second, PingTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, step := range []struct {
		name         string
		heard, keeps time.Duration // before now
	}{
		{"nobody knows", 0, time.Minute},
		{"heard", 20 * time.Second, time.Minute},
		{"not heard for an hour", time.Hour, time.Hour + models.ClocksDiffer},
	} {
		marks.then = time.Time{}
		if step.heard > 0 {
			marks.then = now.Add(-step.heard)
		}
		if got := now.Sub(s.horizon(now)); got != step.keeps {
			t.Errorf("%s: remembers %v, want %v", step.name, got, step.keeps)
		}
	}
}
