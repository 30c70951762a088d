package socketio

import "math"

// packet takes what the client sent to the socket; false says that it may not
// send anything yet. It is called by the connection's reader.
func (s *Socket) packet(p *Packet) bool {
	s.mu.Lock()
	state := s.state
	s.mu.Unlock()
	if state != answering && state != connected {
		return false
	}
	switch p.Type {
	case TypeDisconnect:
		s.leave(ReasonClient)
	case TypeAck:
		if p.ID == nil {
			return true
		}
		if fn := s.taken(*p.ID); fn != nil {
			args, _ := p.Data.([]any)
			_ = s.nsp.server.guard("an acknowledgement", func() error { fn(args); return nil })
		}
	case TypeEvent:
		s.event(p)
	default:
	}
	return true
}

func (s *Socket) event(p *Packet) {
	list, ok := p.Data.([]any)
	if !ok || len(list) == 0 {
		return
	}
	name, ok := list[0].(string)
	if !ok {
		return
	}
	fn := s.nsp.events[name]
	if fn == nil {
		fn = s.nsp.onAny
	}
	if fn == nil {
		return
	}
	e := &Event{Name: name, Args: list[1:], socket: s, id: p.ID}
	if !s.enqueue(func() { fn(s, e) }, s.nsp.server.opts.MaxEvents) {
		s.conn.abort(ReasonFlood)
	}
}

// Do runs fn after the handlers of the events that came before.
func (s *Socket) Do(fn func()) { s.enqueue(fn, math.MaxInt) }

// enqueue runs fn after what was enqueued before it; false says that too much
// waits already.
func (s *Socket) enqueue(fn func(), most int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.jobs) >= most {
		return false
	}
	s.jobs = append(s.jobs, fn)
	if !s.working {
		s.working = true
		s.nsp.server.crew.run(s.work)
	}
	return true
}

func (s *Socket) work() {
	for {
		s.mu.Lock()
		if len(s.jobs) == 0 {
			s.working, s.jobs = false, nil
			s.mu.Unlock()
			return
		}
		fn := s.jobs[0]
		s.jobs[0] = nil
		s.jobs = s.jobs[1:]
		s.mu.Unlock()
		_ = s.nsp.server.guard("an event handler", func() error { fn(); return nil })
	}
}
