package rooms

import (
	"context"
	"time"

	"parley/models"
)

const (
	// markEvery is how often pods tell each other how far they are, and so, by and
	// large, how far Heard is behind.
	markEvery = 250 * time.Millisecond
	// hearWithin bounds one round.
	hearWithin = 2 * time.Second
	// countEvery is how often it is looked whether pods listen that keep no marks.
	countEvery = time.Second
)

// keepHearing advances Heard until ctx ends.
func (s *Service) keepHearing(ctx context.Context) {
	ticker := time.NewTicker(markEvery)
	defer ticker.Stop()
	for {
		bounded, cancel := context.WithTimeout(ctx, hearWithin)
		err := s.hear(bounded)
		cancel()
		if err != nil && ctx.Err() == nil {
			s.Logger.Debug("not known how far all pods were heard", "error", err)
		}
		s.Metrics.HeardBehind(s.Now().Sub(s.Marks.Heard()))
		s.lookForUnpublished(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// hear is one step of it; after an error Heard stands still. The order matters: a
// mark says what was handed over before it was written, and who has read it hears
// that before what is asked for afterwards.
func (s *Service) hear(ctx context.Context) error {
	own := s.Marks.mark()
	if err := s.Hub.Handed(ctx); err != nil {
		return err
	}
	marks, err := s.Board.Trade(ctx, s.Marks.handed(own))
	if err != nil {
		return err
	}
	gone := s.Marks.read(marks)
	heard := s.Marks.reach(own)
	if err := s.Hub.CaughtUp(ctx); err != nil {
		return err
	}
	others, err := s.unmarked(ctx, own)
	if err != nil {
		return err
	}
	if others {
		heard = earlier(heard, own.Add(-models.Slack))
	}
	s.Marks.hears(heard)
	if len(gone) > 0 {
		return s.Board.Withdraw(ctx, gone...)
	}
	return nil
}

// unmarked says whether pods listen that keep no marks: Node's, or older ones.
func (s *Service) unmarked(ctx context.Context, now time.Time) (bool, error) {
	if c := &s.counted; now.Sub(c.at) >= countEvery {
		all, err := s.Hub.Pods(ctx)
		if err != nil {
			return false, err
		}
		c.at = now
		if all > s.Marks.live() {
			c.unmarked = now
		}
	}
	return now.Sub(s.counted.unmarked) < models.Slack, nil
}

// counted has one user, the goroutine that hears.
type counted struct{ at, unmarked time.Time }

// lookForUnpublished tells what pods that have fallen silent stored, and may never
// publish: one that was killed in between, or is cut off.
func (s *Service) lookForUnpublished(ctx context.Context) {
	looked, since := s.now(), s.Marks.Heard()
	if since.IsZero() || !s.Marks.overdue(looked) {
		return
	}
	if err := s.retellAll(ctx, since); err != nil {
		s.Logger.Warn("what silent pods have stored is not told yet", "error", err)
		return
	}
	s.Marks.told(looked, looked.Add(-s.Limits.StoreTimeout))
}

// Farewell tells the other pods that this one sends nothing any more.
func (s *Service) Farewell(ctx context.Context) error {
	if err := s.Hub.Handed(ctx); err != nil {
		return err // they find out for themselves
	}
	s.Marks.end()
	_, err := s.Board.Trade(ctx, s.Marks.handed(s.Marks.mark()))
	return err
}
