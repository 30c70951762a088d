package hub

import (
	"errors"
	"testing"
	"time"
)

// deafBus is a pod alone that may say it does not hear the others.
type deafBus struct {
	alone
	err error
}

func (b *deafBus) Ready() error { return b.err }

func TestNothingIsForgottenWhileTheOtherPodsAreNotHeard(t *testing.T) {
	bus := &deafBus{}
	s, err := New(Options{Encode: encode, Bus: bus, RememberFor: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	keep := s.opts.RememberFor
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	steps := []struct {
		name  string
		after time.Duration
		err   error
		back  time.Duration // how far the memory goes back then
	}{
		{"heard", 0, nil, keep},
		{"not heard", time.Minute, errors.New("away"), keep},
		{"still not", time.Hour, errors.New("away"), keep + 59*time.Minute},
		{"heard again", 61 * time.Minute, nil, keep + time.Hour},
		{"lost again at once", 61*time.Minute + time.Second, errors.New("away"), keep + time.Hour + time.Second},
		{"heard", 62 * time.Minute, nil, keep + 61*time.Minute},
		{"caught up", 62*time.Minute + keep + time.Second, nil, keep},
	}
	for _, step := range steps {
		bus.err = step.err
		now := began.Add(step.after)
		s.listen(now)
		if got := now.Sub(s.horizon(now)); got != step.back {
			t.Errorf("%s: remembers %v, want %v", step.name, got, step.back)
		}
	}
}
