package engineio

import "time"

// With protocol 4 the server pings, PingInterval after the last pong, and the
// client has PingTimeout to answer; anything else it says meanwhile gives it
// that time once more. With protocol 3 the client pings, and may be silent for
// both times together.

// What a session of protocol 4 is waiting for.
const (
	resting  = iota // for the next ping to be due
	awaiting        // for a pong
	extended        // for a pong, longer because something else came
)

var (
	pingPacket  = newPacket("2")
	noopPacket  = newPacket("6")
	closePacket = newPacket("1")
)

// pongCost is what the answer to a ping counts for: a client may send any
// number of them and take no answer.
const pongCost = 64

var pongPacket = &Frame{form: newForm(opText, "3", nil), own: true, cost: pongCost}

func (s *Session) startHeartbeat() {
	s.heard.Store(int64(s.server.elapsed()))
	s.beat.session = s
	if s.protocol == 3 {
		s.rearm(s.server.silences)
		return
	}
	s.rearm(s.server.pings)
}

// hears notes that the client said something, before that is looked at.
func (s *Session) hears(kind byte) {
	s.lives()
	switch {
	case s.protocol == 3:
		if kind == packetPing {
			s.mu.Lock()
			s.rearm(s.server.silences)
			s.mu.Unlock()
		}
	case kind == packetPong:
		s.mu.Lock()
		s.waiting.Store(resting)
		s.rearm(s.server.pings)
		s.mu.Unlock()
	case s.waiting.Load() == awaiting:
		s.mu.Lock()
		if s.waiting.CompareAndSwap(awaiting, extended) {
			s.rearm(s.server.pongs)
		}
		s.mu.Unlock()
	}
}

// rearm sets the heartbeat, unless the session has ended. It needs s.mu: what is
// waited for and how long changes in one step, or nothing might be.
func (s *Session) rearm(l *alarms) {
	if s.state != closed {
		s.server.times.set(&s.beat, l)
	}
}

// Ping asks the client for a sign of life now: without one it is closed after
// PingTimeout. It does nothing where an answer is awaited already, and returns
// false where the server cannot ask: with protocol 3 the client does.
func (s *Session) Ping() bool {
	if s.protocol == 3 {
		return false
	}
	s.mu.Lock()
	asks := s.waiting.CompareAndSwap(resting, awaiting)
	if asks {
		s.rearm(s.server.pongs)
	}
	s.mu.Unlock()
	if asks {
		s.Push(pingPacket)
		s.Flush()
	}
	return true
}

// asked is somebody who waits for the client to say something, and who else does.
type asked struct {
	heard func()
	next  *asked
}

// Ask is Ping for who waits for the answer: heard is called once, as soon as the
// client has said anything more, by whoever reads it, and must not block. It is
// never called where the client says nothing more.
func (s *Session) Ask(heard func()) bool {
	if s.protocol == 3 {
		return false
	}
	a := &asked{heard: heard, next: s.asked.Load()}
	for !s.asked.CompareAndSwap(a.next, a) {
		a.next = s.asked.Load()
	}
	return s.Ping()
}

// lives notes that the client said something, whatever it is.
func (s *Session) lives() {
	s.heard.Store(int64(s.server.elapsed()))
	if s.asked.Load() == nil {
		return
	}
	for a := s.asked.Swap(nil); a != nil; a = a.next {
		a.heard()
	}
}

// LastHeard is when the client last said anything.
func (s *Session) LastHeard() time.Time {
	return s.server.began.Add(time.Duration(s.heard.Load()))
}

func (s *Server) pingDue(a *alarm) { a.session.Ping() }

func (s *Server) pongOverdue(a *alarm) {
	if a.session.waiting.Load() != resting && !s.times.isSet(a) {
		a.session.Abort(PingTimeout)
	}
}

func (s *Server) silenceOver(a *alarm) {
	if !s.times.isSet(a) {
		a.session.Abort(PingTimeout)
	}
}

func (s *Server) closeOverdue(a *alarm) {
	a.session.Abort(a.session.endReason())
}
