package engineio

import (
	"sync"
	"sync/atomic"
	"time"
)

// Session is one client, over whichever transport it has. Its methods may be
// called from anywhere, handlers included, and under locks: none waits for the
// client or calls the Handler.
type Session struct {
	server *Server

	// What a delivery touches stands together.
	mu     sync.Mutex
	state  state
	socket *webSocket // nil while it polls
	poll   *polling   // nil once it does not
	queue  queue
	ending *alarm // of an orderly close
	reason Reason // why it ends, or has ended
	err    error

	// turn is held by whoever calls the Handler.
	turn   sync.Mutex
	opened bool
	told   atomic.Bool // the client answered our goodbye

	heard   atomic.Int64 // when, since the server began
	asked   atomic.Pointer[asked]
	waiting atomic.Uint32 // resting, awaiting or extended
	beat    alarm

	id          string
	remote      string
	description any
	attached    any
	protocol    int
	base64      bool // protocol 3: its answers are text, whatever is in them
}

type state uint8

const (
	open    state = iota
	closing       // what is queued is still written
	closed
)

// ID is what the client knows the session by.
func (s *Session) ID() string { return s.id }

// Protocol is the Engine.IO protocol the client speaks, 4 or 3.
func (s *Session) Protocol() int { return s.protocol }

// RemoteAddr is the address of the connection that opened the session.
func (s *Session) RemoteAddr() string { return s.remote }

// Description is what Options.Describe said of the request that opened it.
func (s *Session) Description() any { return s.description }

// Attach keeps v for Attached. It may be called in Handler.Open alone.
func (s *Session) Attach(v any) { s.attached = v }

// Attached returns what was attached, or nil.
func (s *Session) Attached() any { return s.attached }

// Transport names the transport the session has now.
func (s *Session) Transport() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.socket != nil {
		return WebSocket
	}
	return Polling
}

// Close ends the session once everything queued is written, or CloseTimeout is
// over. Nothing more can be pushed, and what the client still says is dropped.
func (s *Session) Close() { s.close(ForcedClose) }

// CloseFor is Close for a reason of the caller's.
func (s *Session) CloseFor(reason Reason) { s.close(reason) }

func (s *Session) close(reason Reason) {
	s.mu.Lock()
	if s.state != open {
		s.mu.Unlock()
		return
	}
	s.state, s.reason = closing, reason
	s.ending = &alarm{session: s}
	s.server.times.set(s.ending, s.server.closings)
	s.flush() // ends it if nothing is queued
}

// Told says whether the client has taken all that was written: it answered the
// goodbye of a Close. Only a WebSocket can know.
func (s *Session) Told() bool { return s.told.Load() }

// Abort ends the session at once; what is queued is not written any more. A
// waiting poll is answered, a WebSocket is told with a close frame.
func (s *Session) Abort(reason Reason) { s.fail(reason, nil) }

func (s *Session) fail(reason Reason, err error) {
	s.mu.Lock()
	s.end(reason, err)
	s.mu.Unlock()
}

func (s *Session) endReason() Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason
}

// end needs s.mu.
func (s *Session) end(reason Reason, err error) { s.endPolling(reason, err, verdictClose) }

// endPolling ends the session; a waiting poll is given the verdict. It needs
// s.mu.
func (s *Session) endPolling(reason Reason, err error, v verdict) {
	if s.state == closed {
		return
	}
	s.state, s.reason, s.err = closed, reason, err
	s.server.times.cancel(&s.beat)
	if s.ending != nil {
		s.server.times.cancel(s.ending)
	}
	s.server.registry.remove(s.id)
	if s.poll != nil {
		s.poll.end(v)
	}
	if s.socket != nil {
		s.socket.interrupt() // its reader tells the Handler
		return
	}
	s.server.crew.Run(s.finish)
}

// finish tells the Handler that the session has ended. It waits until no write
// is under way, so that Unsent knows.
func (s *Session) finish() {
	s.settle()
	s.turn.Lock()
	defer s.turn.Unlock()
	if !s.opened {
		return
	}
	s.opened = false
	s.mu.Lock()
	reason, err := s.reason, s.err
	s.mu.Unlock()
	s.server.opts.Metrics.Closed(reason)
	defer s.recovered("Close")
	s.server.handler.Close(s, reason, err)
}

// open calls the Handler the first time; the turn is the caller's.
func (s *Session) open(transport string) {
	s.opened = true
	s.server.opts.Metrics.Opened(s.protocol, transport)
	defer s.recovered("Open")
	s.server.handler.Open(s)
}

// isOpen says that what the client says still counts.
func (s *Session) isOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == open
}

// isSentOff says that it was closed in order.
func (s *Session) isSentOff() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending != nil
}

func (s *Session) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == closed
}

func (s *Session) recovered(in string) {
	if r := recover(); r != nil {
		s.server.panicked(in, r)
		s.Abort(HandlerPanic)
	}
}

// elapsed is the time since the server began, whatever the wall clock does.
func (s *Server) elapsed() time.Duration { return s.opts.Now().Sub(s.began) }
