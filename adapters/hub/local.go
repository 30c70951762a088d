package hub

import (
	"slices"
	"time"

	"parley/adapters/cluster"
	"parley/adapters/socketio"
)

// local is this pod as the others see it. Nothing here blocks.
type local struct{ s *Server }

func (l *local) Broadcast(p cluster.Packet, opts cluster.Options) {
	tell := func() { l.s.send(packetOf(p), audienceFrom(opts), opts.Flags.Volatile, nil, nil) }
	if !l.s.detained.takes(tell) {
		tell()
	}
}

func (l *local) BroadcastWithAck(p cluster.Packet, opts cluster.Options, clients func(int), ack func([]any)) {
	// Our own counter gives the id: two pods may use the same one at once.
	id := l.s.nsp.NextID()
	q := packetOf(p)
	q.ID = &id
	clients(l.s.askFor(q, audienceFrom(opts), opts.Flags.Volatile, opts.Flags.Timeout, ack))
}

func (l *local) Join(opts cluster.Options, rooms []string) { l.s.joinLocal(audienceFrom(opts), rooms) }
func (l *local) Leave(opts cluster.Options, rooms []string) {
	l.s.leaveLocal(audienceFrom(opts), rooms)
}

func (l *local) Disconnect(opts cluster.Options, closeTransport bool) {
	l.s.disconnectLocal(audienceFrom(opts), closeTransport)
}

func (l *local) Sockets(opts cluster.Options, answer func([]cluster.Socket)) {
	to := audienceFrom(opts)
	suspects := l.s.suspects(to)
	if len(suspects) == 0 {
		answer(l.described(l.s.connected(to)))
		return
	}
	l.s.crew.Run(func() { answer(l.described(l.s.probe(l.s.life, suspects))) })
}

func (l *local) described(members []*member) []cluster.Socket {
	all := make([]cluster.Socket, 0, len(members))
	for _, m := range members {
		l.s.index.mu.Lock()
		rooms := m.roomNames()
		l.s.index.mu.Unlock()
		all = append(all, describe(m, rooms))
	}
	return all
}

// HasRoom spares the bus what nobody here is to hear.
func (l *local) HasRoom(name string) bool { return l.s.index.has(name) }

func (l *local) Rooms() []string { return l.s.index.roomNames() }

func (l *local) ServerSideEmit(args []any, ack func(answer any)) {
	if len(args) > 0 {
		l.s.crew.Run(func() { l.s.guard("ServerSideEmit", func() { l.s.nsp.ServerEvent(args, ack) }) })
	}
}

// Resumed asks for what may have been missed since then.
func (l *local) Resumed(since time.Time) {
	if l.s.onResumed != nil {
		l.s.resumption.ask(l.s, since)
	}
}

const binaryEvent = 5 // on the wire between pods; the encoder finds attachments itself

func packetOf(p cluster.Packet) socketio.Packet {
	kind := socketio.PacketType(p.Type)
	if p.Type == binaryEvent {
		kind = socketio.TypeEvent
	}
	return socketio.Packet{Type: kind, Data: p.Data}
}

func audienceFrom(o cluster.Options) socketio.Audience {
	return socketio.Audience{Rooms: o.Rooms, Except: o.Except}
}

// connected returns the sockets of the audience that are past the door.
func (s *Server) connected(to socketio.Audience) []*member {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	return slices.DeleteFunc(s.index.pick(to, nil), func(m *member) bool { return m.phase != live })
}

// joinLocal and leaveLocal reach sockets at the door too.
func (s *Server) joinLocal(to socketio.Audience, rooms []string) {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	now := s.opts.Now()
	for _, m := range s.index.pick(to, nil) {
		if len(to.Rooms) == 0 && m.user == "" {
			continue
		}
		for _, name := range rooms {
			s.index.letIn(m, name, now)
		}
	}
}

func (s *Server) leaveLocal(to socketio.Audience, rooms []string) {
	s.index.mu.Lock()
	picked := s.index.pick(to, nil)
	for _, m := range picked {
		for _, name := range rooms {
			s.index.leave(m, name)
		}
	}
	s.index.mu.Unlock()
	for _, m := range picked {
		m.session.Flush()
	}
}

func (s *Server) disconnectLocal(to socketio.Audience, closeTransport bool) {
	s.index.mu.Lock()
	returned := s.index.holders(to)
	picked := s.index.pick(to, nil)
	inside := picked[:0]
	for _, m := range picked {
		switch {
		case m.phase == live:
			inside = append(inside, m)
		case closeTransport:
			m.gate.kicked = kickTransport
		default:
			m.gate.kicked = max(m.gate.kicked, kickSocket)
		}
	}
	s.index.mu.Unlock()
	if suspects := s.suspects(to); len(suspects) > 0 {
		s.crew.Run(func() { s.probe(s.life, suspects) })
	}
	for _, m := range returned {
		m.cut(cutReplaced)
	}
	for _, m := range inside {
		if closeTransport {
			m.cut(cutKicked)
		} else {
			m.socket.Disconnect(false)
		}
	}
}
