package hub

import (
	"sync/atomic"
	"time"

	"parley/models"
)

// recent remembers which new_message went to a room lately, oldest first. It
// answers two questions: was this one sent already, and what had a socket been
// sent when it left.
type recent struct {
	sent []sentAt
	// dropped is when the newest was sent that is not remembered any more.
	dropped time.Time
}

// deafness is how long the other pods could not be heard.
type deafness struct {
	since atomic.Int64 // unix ns; 0 while they are heard
	until atomic.Int64 // when they were heard again; 0 before
}

// horizon is how far back messages are remembered: RememberFor, and while the
// other pods are not heard, and are caught up with afterwards, from before that
// began. What is told again then includes what this pod has sent itself.
func (s *Server) horizon(now time.Time) time.Time {
	if since := s.deaf.since.Load(); since != 0 {
		return time.Unix(0, since).Add(-s.opts.RememberFor)
	}
	return now.Add(-s.opts.RememberFor)
}

// listen notes whether the other pods are heard.
func (s *Server) listen(now time.Time) {
	if s.opts.Bus.Ready() != nil {
		s.deaf.until.Store(0)
		s.deaf.since.CompareAndSwap(0, now.UnixNano())
		return
	}
	if s.deaf.since.Load() == 0 {
		return
	}
	s.deaf.until.CompareAndSwap(0, now.UnixNano())
	if now.Sub(time.Unix(0, s.deaf.until.Load())) > s.opts.RememberFor {
		s.deaf.since.Store(0)
		s.deaf.until.Store(0)
	}
}

func (r *recent) has(id models.MessageID) bool {
	_, ok := r.when(id)
	return ok
}

// when returns when the message was sent.
func (r *recent) when(id models.MessageID) (at time.Time, ok bool) {
	// A repetition usually follows closely, so the newest are looked at first.
	for i := len(r.sent) - 1; i >= 0; i-- {
		if r.sent[i].id == id {
			return r.sent[i].at, true
		}
	}
	return time.Time{}, false
}

// from is what was sent from then on.
func (r *recent) from(since time.Time) []sentAt {
	n := len(r.sent)
	for n > 0 && !r.sent[n-1].at.Before(since) {
		n--
	}
	return r.sent[n:]
}

func (r *recent) add(id models.MessageID, at time.Time) {
	if len(r.sent) >= maxRecent {
		r.drop(len(r.sent) - maxRecent + 1)
	}
	r.sent = append(r.sent, sentAt{id: id, at: at})
}

// expire forgets what was sent before t, but for the last few: by one of those
// a client says how far it got, however long ago that was.
func (r *recent) expire(t time.Time) {
	n := 0
	for n < len(r.sent)-minRecent && r.sent[n].at.Before(t) {
		n++
	}
	r.drop(n)
}

func (r *recent) drop(n int) {
	if n == 0 {
		return
	}
	r.dropped = r.sent[n-1].at
	kept := copy(r.sent, r.sent[n:])
	clear(r.sent[kept:])
	r.sent = r.sent[:kept]
	if kept == 0 {
		r.sent = nil
	}
}
