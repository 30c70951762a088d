package rooms

import (
	"context"
	"time"
)

const (
	// askers find out what became of messages, as many at once; unansweredMost wait for it.
	askers         = 16
	unansweredMost = 1024
	askAgain       = 250 * time.Millisecond
)

// unanswered is a request whose messages may be stored yet: the database was asked to,
// and has not answered. Until it does, their stamp is in flight.
type unanswered struct {
	key     string
	claimed time.Time
	landed  func()
}

// askLater has it found out after the sender was answered; false says that too many wait.
func (s *Service) askLater(u unanswered) bool {
	select {
	case s.unanswered <- u:
		return true
	default:
		s.Metrics.Dropped("unanswered")
		return false
	}
}

// askAll finds out what comes until ctx ends. What is left then stays in flight: this
// pod says no farewell, and the others look for it.
func (s *Service) askAll(ctx context.Context) {
	for {
		select {
		case u := <-s.unanswered:
			if s.ask(ctx, u); ctx.Err() == nil {
				u.landed()
			}
		case <-ctx.Done():
			return
		}
	}
}

// ask stores and tells what may be stored already, whether or not its sender tries
// again, for as long as a pod that is silent counts.
func (s *Service) ask(ctx context.Context, u unanswered) {
	ctx, cancel := context.WithTimeout(ctx, s.Marks.forget)
	defer cancel()
	for {
		r, _, err := s.outcome(ctx, u.key, u.claimed)
		if err == nil {
			return
		}
		if r.Key != "" {
			u.claimed = r.ClaimedAt
		}
		select {
		case <-ctx.Done():
			s.Logger.Warn("not known whether messages are stored", "error", err)
			return
		case <-time.After(askAgain):
		}
	}
}
