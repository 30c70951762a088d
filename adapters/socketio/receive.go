package socketio

// packet takes what the client sent to the socket, of size bytes; false says that
// it may not send anything yet, or any more. It is called by the connection's
// reader.
func (s *Socket) packet(p *Packet, size int) bool {
	s.mu.Lock()
	listens := s.state == connected || s.state == answering && s.reason != ReasonClient
	s.mu.Unlock()
	if !listens {
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
		s.event(p, size)
	default:
	}
	return true
}

func (s *Socket) event(p *Packet, size int) {
	list, ok := p.Data.([]any)
	if !ok || len(list) == 0 {
		return
	}
	name, ok := list[0].(string)
	if !ok {
		return
	}
	l, ok := s.nsp.events[name]
	if !ok {
		l = s.nsp.anyEvent
	}
	if l.fn == nil {
		return
	}
	e := &Event{Name: name, Args: list[1:], socket: s, id: p.ID}
	fn := func() { l.fn(s, e) }
	if l.inline && s.inline(fn) {
		return
	}
	if o := &s.nsp.server.opts; !s.enqueue(job{fn: fn, size: size}, o.MaxEvents, o.MaxEventBytes) {
		s.conn.abort(ReasonFlood)
	}
}
