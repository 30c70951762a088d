package hub

import (
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

// heardAt is up to when all messages had been given to this Server at that moment.
func (s *Server) heardAt(at time.Time) time.Time {
	if heard := s.opts.Marks.HeardAt(at); !heard.IsZero() {
		return heard
	}
	return at.Add(-models.Slack)
}

// horizon is how far back it is remembered what was sent: RememberFor, and all that
// anybody may still have to be told apart. That is what was stamped since the time
// up to which all was heard when a connection may have broken that nobody has
// noticed yet. While the other pods are not heard, that stands still.
func (s *Server) horizon(now time.Time) time.Time {
	noticed := now.Add(-s.opts.PingInterval - s.opts.PingTimeout - noticeWithin)
	return oldest(now.Add(-s.opts.RememberFor), s.heardAt(noticed).Add(-models.ClocksDiffer))
}

// noticeWithin is how much later than it should a busy pod notices a dead connection.
const noticeWithin = 5 * time.Second

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
