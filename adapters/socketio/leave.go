package socketio

// Disconnect tells the client that it is disconnected from the namespace, where
// it then stays away; with closeTransport its whole connection is closed, and
// stock clients come back.
func (s *Socket) Disconnect(closeTransport bool) {
	if closeTransport {
		s.conn.close()
		return
	}
	// What is sent to its rooms behind the DISCONNECT would be lost.
	if s.leave(ReasonServer) {
		s.Send(Packet{Type: TypeDisconnect})
		s.Flush()
	}
}

// close disconnects every socket of the connection and ends it when that is
// written.
func (c *conn) close() {
	c.mu.Lock()
	sockets := append([]*Socket(nil), c.sockets...)
	c.mu.Unlock()
	for _, s := range sockets {
		s.Disconnect(false)
	}
	c.because(ReasonForcedServer)
	c.session.Close()
}

// leave is where every socket leaves, whatever the path; the first reason counts.
// It is false where it has left already, or is still being answered.
func (s *Socket) leave(reason Reason) (left bool) {
	s.mu.Lock()
	was := s.state
	switch was {
	case answering: // who answers does it
		if s.reason == "" {
			s.reason = reason
		}
		s.mu.Unlock()
		s.life.end()
		return false
	case departed:
		s.mu.Unlock()
		return false
	default:
	}
	s.state, s.reason = departed, reason
	s.acks = nil
	s.mu.Unlock()
	s.open.Store(false)
	s.life.end()
	s.conn.forget(s)
	if was == arriving {
		s.nsp.adapter.Gone(s)
		return true
	}
	if s.nsp.onLeaving != nil {
		_ = s.nsp.server.guard("OnLeaving", func() error { s.nsp.onLeaving(s, reason); return nil })
	}
	s.nsp.adapter.Gone(s)
	if s.nsp.onDisconnect != nil {
		s.Do(func() { s.nsp.onDisconnect(s, reason) })
	}
	return true
}
