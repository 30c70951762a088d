package socketio

import (
	"context"
	"errors"

	"parley/adapters/js"
)

// letIn runs the middlewares, answers the CONNECT, and then does what has come
// for the socket meanwhile.
func (s *Socket) letIn() {
	if err := s.pass(); err != nil {
		s.refuse(err)
		return
	}
	if s.answer() {
		s.work()
	}
}

// pass runs the middlewares.
func (s *Socket) pass() (err error) {
	if len(s.nsp.middlewares) == 0 {
		return nil
	}
	s.life.whileLetIn(s.nsp.server.life, func(ctx context.Context) {
		for _, fn := range s.nsp.middlewares {
			if err = s.nsp.server.guard("a middleware", func() error { return fn(ctx, s) }); err != nil {
				return
			}
		}
	})
	return err
}

// answer is false where the socket has gone meanwhile.
func (s *Socket) answer() bool {
	s.mu.Lock()
	if s.state != arriving {
		s.mu.Unlock()
		return false
	}
	// From here on its client may speak: it may be told before we return.
	s.state = answering
	greeting := s.greeting()
	s.mu.Unlock()

	s.conn.joined()
	s.Send(greeting)
	s.open.Store(true)
	s.nsp.adapter.Enter(s, s.id)
	if s.nsp.onConnect != nil {
		_ = s.nsp.server.guard("OnConnect", func() error { s.nsp.onConnect(s); return nil })
	}

	s.mu.Lock()
	s.auth = nil
	s.state = connected
	reason, again := s.reason, s.again
	s.mu.Unlock()
	if reason != "" {
		s.leave(reason)
		if reason == ReasonServer {
			s.Send(Packet{Type: TypeDisconnect})
		}
	}
	if again != nil {
		s.conn.connect(s.nsp.name, again.auth)
	}
	s.session.Flush()
	return true
}

// again is a CONNECT that follows the goodbye of a socket that is still being
// answered.
type again struct{ auth any }

// comesAgain keeps such a CONNECT until the socket has left; false says that it is
// out of place.
func (s *Socket) comesAgain(auth any) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != answering || s.reason != ReasonClient || s.again != nil {
		return false
	}
	s.again = &again{auth: auth}
	return true
}

// greeting needs s.mu.
func (s *Socket) greeting() Packet {
	p := Packet{Type: TypeConnect, Nsp: s.nsp.name}
	if s.session.Protocol() == 3 {
		return p
	}
	o := js.Object{{Key: "sid", Value: s.id}}
	if s.pid != "" {
		o = append(o, js.Member{Key: "pid", Value: s.pid})
	}
	p.Data = o
	return p
}

// refuse answers the CONNECT with an error. The connection stays, and may try
// again.
func (s *Socket) refuse(err error) {
	told := &Refusal{Message: "internal error"}
	if !errors.As(err, &told) {
		s.nsp.server.opts.Logger.Error("a middleware failed", "err", err)
	}
	p := Packet{Type: TypeConnectError, Nsp: s.nsp.name}
	switch {
	case s.session.Protocol() != 3:
		o := js.Object{{Key: "message", Value: told.Message}}
		if told.Data != nil {
			o = append(o, js.Member{Key: "data", Value: told.Data})
		}
		p.Data = o
	case told.Data != nil:
		p.Data = told.Data
	default:
		p.Data = told.Message
	}
	s.Send(p) // it may come again once that is written
	s.leave("")
	s.Flush()
	s.conn.rest()
}
