package hub

import (
	"slices"
	"time"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	sio "github.com/zishang520/socket.io/servers/socket/v3"

	"parley/adapters/cluster"
)

// local is this pod as the others see it. Nothing here blocks.
type local struct{ s *Server }

func (l *local) Broadcast(p cluster.Packet, opts cluster.Options) {
	l.s.send(packetOf(p), selectionFrom(opts), opts.Flags.Compress, opts.Flags.Volatile)
}

func (l *local) BroadcastWithAck(p cluster.Packet, opts cluster.Options, clients func(int), ack func([]any)) {
	// Our own counter gives the id: two pods may use the same one at once.
	id := l.s.nsp.Ids()
	q := packetOf(p)
	q.Id = &id
	clients(l.s.sendWithAck(q, selectionFrom(opts), opts.Flags, func(args []any, _ error) {
		answer, _ := plain(args).([]any)
		ack(answer)
	}))
}

func (l *local) Join(opts cluster.Options, rooms []string) { l.s.joinLocal(selectionFrom(opts), rooms) }
func (l *local) Leave(opts cluster.Options, rooms []string) {
	l.s.leaveLocal(selectionFrom(opts), rooms)
}

func (l *local) Disconnect(opts cluster.Options, closeTransport bool) {
	l.s.disconnectLocal(selectionFrom(opts), closeTransport)
}

func (l *local) Sockets(opts cluster.Options) []cluster.Socket {
	members := l.s.connected(selectionFrom(opts))
	all := make([]cluster.Socket, 0, len(members))
	for _, m := range members {
		l.s.index.mu.Lock()
		rooms := make([]string, 0, len(m.rooms))
		for name := range m.rooms {
			rooms = append(rooms, name)
		}
		l.s.index.mu.Unlock()
		all = append(all, describe(m, rooms))
	}
	return all
}

// HasRoom spares the bus what nobody here is to hear.
func (l *local) HasRoom(name string) bool { return l.s.index.has(name) }

func (l *local) Rooms() []string { return l.s.index.roomNames() }

func (l *local) ServerSideEmit(args []any, ack func(answer any)) {
	if ack != nil {
		args = append(slices.Clip(args), func(answers []any, _ error) {
			if len(answers) > 0 {
				ack(answers[0])
				return
			}
			ack(nil)
		})
	}
	if len(args) == 0 {
		return
	}
	// The library's own events are not for other pods to make up.
	if name, ok := args[0].(string); !ok || sio.NAMESPACE_RESERVED_EVENTS.Has(name) {
		return
	}
	l.s.crew.run(func() { l.s.guard("ServerSideEmit", func() { l.s.nsp.OnServerSideEmit(args) }) })
}

// Resumed asks for what may have been missed since then.
func (l *local) Resumed(since time.Time) {
	if l.s.onResumed != nil {
		l.s.resumption.ask(l.s, since)
	}
}

func packetOf(p cluster.Packet) *parser.Packet {
	kind := parser.PacketType(p.Type)
	if kind == parser.BINARY_EVENT {
		kind = parser.EVENT // the encoder finds the attachments itself
	}
	return &parser.Packet{Type: kind, Data: p.Data}
}

// connected returns the selected sockets that are past the door.
func (s *Server) connected(sel selection) []*member {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	picked := s.index.pick(sel)
	return slices.DeleteFunc(picked, func(m *member) bool { return m.phase != live })
}

// joinLocal and leaveLocal reach sockets at the door too.
func (s *Server) joinLocal(sel selection, rooms []string) {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	now := s.opts.Now()
	for _, m := range s.index.pick(sel) {
		if sel.all && m.user == "" {
			continue
		}
		for _, name := range rooms {
			s.index.join(m, name, now)
		}
	}
}

func (s *Server) leaveLocal(sel selection, rooms []string) {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	for _, m := range s.index.pick(sel) {
		for _, name := range rooms {
			s.index.leave(m, name)
		}
	}
}

func (s *Server) disconnectLocal(sel selection, closeTransport bool) {
	s.index.mu.Lock()
	returned := s.index.holders(sel)
	picked := s.index.pick(sel)
	inside := picked[:0]
	for _, m := range picked {
		switch {
		case m.phase == live:
			inside = append(inside, m)
		case closeTransport:
			m.kicked.Store(kickTransport)
		default:
			m.kicked.CompareAndSwap(0, kickSocket)
		}
	}
	s.index.mu.Unlock()
	for _, m := range returned {
		m.link.cut(cutReplaced)
	}
	for _, m := range inside {
		if closeTransport {
			m.link.cut(cutKicked)
		} else {
			m.socket.Disconnect(false)
		}
	}
}
