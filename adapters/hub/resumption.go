package hub

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// resumeAgain is how long it is waited before what could not be asked is asked again.
const resumeAgain = time.Second

// resumption asks what was missed while the other pods were not heard, once at a
// time: several connections break together, and often.
type resumption struct {
	asked atomic.Int64 // how often it was

	mu      sync.Mutex
	running bool
	since   time.Time // what is still to be asked; zero for nothing
	kept    bool      // whether Reseat's notes were kept for what is asked next
}

func (r *resumption) ask(s *Server, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked.Add(1)
	r.since = oldest(r.since, since)
	s.detained.begin(s)
	if r.running {
		return
	}
	r.running = true
	s.crew.Run(func() {
		for since, ok := r.next(); ok; since, ok = r.next() {
			s.detained.begin(s)
			var err error
			s.guard("OnResumed", func() { err = s.onResumed(s.life, since) })
			if err != nil {
				s.opts.Logger.Warn("what other pods sent may be missing here; it is looked up again", "since", since, "err", err)
				r.again(since)
				pause(s.life, resumeAgain)
				if s.life.Err() != nil {
					return
				}
			}
			r.settle(s)
			if !r.pending() {
				s.detained.end()
			}
		}
	})
}

// again is for what could not be asked.
func (r *resumption) again(since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.since = oldest(r.since, since)
}

// oldest is the earlier of the two, a zero one being none.
func oldest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// pending says whether more is to be asked when this is done.
func (r *resumption) pending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.since.IsZero()
}

// busy says whether something is still to be asked, or told.
func (r *resumption) busy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running
}

// settle forgets what catching up has to know of its own doing, where nothing is
// asked any more. That others are not heard means that more will be; upkeep looks
// again, because not every connection that comes back asks.
func (r *resumption) settle(s *Server) {
	r.mu.Lock()
	more := !r.since.IsZero()
	r.kept = more || s.opts.Bus.Ready() != nil
	kept := r.kept
	r.mu.Unlock()
	if !kept {
		s.index.forgetSeated()
	}
}

// tidy does so when nothing is being asked.
func (r *resumption) tidy(s *Server) {
	r.mu.Lock()
	due := r.kept && !r.running
	r.mu.Unlock()
	if due {
		r.settle(s)
	}
}

func (r *resumption) next() (since time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	since, r.since = r.since, time.Time{}
	r.running = !since.IsZero()
	return since, r.running
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
