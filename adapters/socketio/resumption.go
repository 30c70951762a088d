package socketio

import (
	"sync"
	"time"
)

// resumption asks what was missed while the other pods were not heard, once at a
// time: several connections break together, and often.
type resumption struct {
	mu      sync.Mutex
	running bool
	since   time.Time // what is still to be asked; zero for nothing
}

func (r *resumption) ask(s *Server, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.since.IsZero() || since.Before(r.since) {
		r.since = since
	}
	if r.running {
		return
	}
	r.running = true
	s.crew.run(func() {
		for since, ok := r.next(); ok; since, ok = r.next() {
			s.guard("OnResumed", func() { s.onResumed(s.life, since) })
			if !r.more() && s.opts.Bus.Ready() == nil {
				s.index.forgetSeated()
			}
		}
	})
}

func (r *resumption) next() (since time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	since, r.since = r.since, time.Time{}
	r.running = !since.IsZero()
	return since, r.running
}

// more says whether something is still to be asked.
func (r *resumption) more() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.since.IsZero()
}
