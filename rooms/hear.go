package rooms

import (
	"context"
	"errors"
	"time"

	"parley/models"
)

const (
	// markEvery is how often pods tell each other how far they are, and so, by and
	// large, how far Heard is behind.
	markEvery = 250 * time.Millisecond
	// hearWithin bounds one round.
	hearWithin = 2 * time.Second
	// newAfter is when who listens and has left no mark is taken to keep none.
	newAfter = time.Second
)

// keepHearing advances Heard until ctx ends.
func (s *Service) keepHearing(ctx context.Context) {
	ticker := time.NewTicker(markEvery)
	defer ticker.Stop()
	for {
		bounded, cancel := context.WithTimeout(ctx, hearWithin)
		began := s.now()
		err := s.hear(bounded)
		if err == nil {
			s.settle(bounded)
			s.backSince(bounded, began)
		}
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

// unmarked says whether pods listen that keep no marks: Node's, or older ones. One
// that has just come may leave its first in a moment: until that is clear, it is not
// known how far was heard.
func (s *Service) unmarked(ctx context.Context, now time.Time) (bool, error) {
	all, err := s.Hub.Pods(ctx)
	if err != nil {
		return false, err
	}
	s.Marks.listening(all)
	c := &s.counted
	if all <= s.Marks.live() {
		c.more = time.Time{}
	} else if c.more.IsZero() {
		c.more = now
	}
	switch {
	case c.more.IsZero():
	case now.Sub(c.more) >= newAfter:
		c.unmarked = now
	case now.Sub(c.unmarked) >= models.Slack:
		return false, models.Unavailable("the other pods", errNoMark)
	}
	return now.Sub(c.unmarked) < models.Slack, nil
}

var errNoMark = errors.New("one has left no mark yet")

// counted is how many pods listen; it has one user, the goroutine that hears.
type counted struct {
	more     time.Time // since when they are more than keep marks; zero for no more
	unmarked time.Time // when that was last so for more than a moment
}

// lookForUnpublished tells what pods that have fallen silent stored, and may never
// publish: one that was killed in between, or is cut off.
func (s *Service) lookForUnpublished(ctx context.Context) {
	looked := s.now()
	since, due := s.Marks.overdue(looked)
	if !due {
		return
	}
	if err := s.retellAll(ctx, since); err != nil {
		s.Logger.Warn("what silent pods have stored is not told yet", "error", err)
		return
	}
	s.Marks.told(looked)
}

// Farewell tells the other pods that this one sends nothing any more.
func (s *Service) Farewell(ctx context.Context) error {
	began := s.now()
	if err := s.Hub.Handed(ctx); err != nil {
		return err // they find out for themselves
	}
	s.backSince(ctx, began)
	if !s.Marks.end() {
		return models.Unavailable("the database", models.ErrUnanswered) // so they do of what may be stored
	}
	_, err := s.Board.Trade(ctx, s.Marks.handed(s.Marks.mark()))
	return err
}
