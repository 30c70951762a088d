package hub

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"parley/adapters/socketio"
	"parley/models"
)

// longFlush is how many sockets take longer to write to than it takes to let
// somebody else run.
const longFlush = 16

// send gives a packet to this pod's sockets of the audience, and calls relay, if
// any, before they are written to. Where only is not nil, it is for those users
// alone.
//
// All queues are filled under one lock, so that everybody sees concurrent
// broadcasts in one order; encoding and writing happen outside of it.
func (s *Server) send(p socketio.Packet, to socketio.Audience, volatile bool, only map[models.UserID]bool, relay func()) {
	tell := func() {
		if relay != nil {
			relay()
		}
	}
	x := s.index
	if !x.reaches(to) {
		tell()
		return
	}
	msg, ok := s.encode(p, volatile)
	if !ok {
		return
	}
	msg.rooms = to.Rooms
	room := recipients.Get().(*[]*member)
	x.mu.Lock()
	now := x.tick(s.opts.Now()) // times tell the order of sending
	if msg.sent != nil {
		msg.sent.at = now
		if x.repeated(to.Rooms, msg.sent.id, now, s.horizon(now)) {
			x.mu.Unlock()
			recipients.Put(room)
			s.opts.Metrics.Duplicate()
			tell()
			return
		}
	}
	members := x.pick(to, (*room)[:0])
	if msg.sent != nil && len(to.Rooms) == 1 {
		members = x.rooms[to.Rooms[0]].concerns(members, func() time.Time { return s.madeAt(p) })
	}
	if only != nil {
		members = slices.DeleteFunc(members, func(m *member) bool { return !only[m.user] })
	}
	if len(to.Rooms) == 0 {
		members = slices.DeleteFunc(members, func(m *member) bool { return m.user == "" }) // nobody yet
	}
	flush, n := queue(&msg, members)
	x.mu.Unlock()
	tell()
	if relay != nil && len(flush) >= longFlush {
		// The bus has a goroutine of its own. Where no other processor is free it
		// would publish once all of these are written to, milliseconds later.
		runtime.Gosched()
	}
	s.flush(flush, n)
	clear(members)
	*room = members[:0]
	recipients.Put(room)
}

// recipients are slices of those a broadcast goes to, used again and again.
var recipients = sync.Pool{New: func() any { return new([]*member) }}

// queue gives the message to members and returns those who can be written to
// now, in the same slice, and how many took it; it needs index.mu.
func queue(msg *message, members []*member) (flush []*member, n int) {
	flush = members[:0]
	for _, m := range members {
		taken, ready := m.give(msg)
		if taken {
			n++
		}
		if ready {
			flush = append(flush, m)
		}
	}
	return flush, n
}

func (s *Server) flush(members []*member, n int) {
	for _, m := range members {
		m.session.Flush()
	}
	if n > 0 {
		s.opts.Metrics.Delivered(n)
	}
}
