package socketio

import (
	"context"
	"slices"
	"sync"
)

// Memory is the adapter of a server that is alone.
type Memory struct {
	mu    sync.Mutex
	rooms map[string]*room
	all   map[*Socket]struct{}
}

type room struct {
	name    string
	members map[*Socket]struct{}
}

// NewMemory makes one; it serves one namespace.
func NewMemory() *Memory { return &Memory{rooms: map[string]*room{}, all: map[*Socket]struct{}{}} }

// Enter puts the socket into rooms.
func (m *Memory) Enter(s *Socket, rooms ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.enter(s, rooms)
}

func (m *Memory) enter(s *Socket, rooms []string) {
	if s.ctx.Err() != nil {
		return // Gone was called, or is about to be
	}
	m.all[s] = struct{}{}
	for _, name := range rooms {
		r := m.rooms[name]
		if r == nil {
			r = &room{name: name, members: make(map[*Socket]struct{}, 1)}
			m.rooms[name] = r
		}
		if _, in := r.members[s]; !in {
			r.members[s] = struct{}{}
			s.seats = append(s.seats, r)
		}
	}
}

// Exit takes the socket out of rooms.
func (m *Memory) Exit(s *Socket, rooms ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.exit(s, rooms)
}

func (m *Memory) exit(s *Socket, rooms []string) {
	for _, name := range rooms {
		i := slices.IndexFunc(s.seats, func(r *room) bool { return r.name == name })
		if i < 0 {
			continue
		}
		m.vacate(s, s.seats[i])
		s.seats = slices.Delete(s.seats, i, i+1)
	}
}

func (m *Memory) vacate(s *Socket, r *room) {
	delete(r.members, s)
	if len(r.members) == 0 {
		delete(m.rooms, r.name)
	}
}

// Gone takes the socket out of everything.
func (m *Memory) Gone(s *Socket) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range s.seats {
		m.vacate(s, r)
	}
	s.seats = nil
	delete(m.all, s)
}

// RoomsOf are those the socket is in.
func (m *Memory) RoomsOf(s *Socket) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return s.rooms()
}

// rooms needs the adapter's mu.
func (s *Socket) rooms() []string {
	names := make([]string, len(s.seats))
	for i, r := range s.seats {
		names[i] = r.name
	}
	return names
}

// pick returns the selected sockets, each once; it needs m.mu.
func (m *Memory) pick(to Audience) []*Socket {
	out := map[*Socket]struct{}{}
	for _, name := range to.Except {
		if r := m.rooms[name]; r != nil {
			for s := range r.members {
				out[s] = struct{}{}
			}
		}
	}
	var picked []*Socket
	take := func(members map[*Socket]struct{}) {
		for s := range members {
			if _, no := out[s]; no || !s.open.Load() {
				continue
			}
			if len(to.Rooms) > 1 {
				out[s] = struct{}{} // once is enough
			}
			picked = append(picked, s)
		}
	}
	if len(to.Rooms) == 0 {
		take(m.all)
		return picked
	}
	for _, name := range to.Rooms {
		if r := m.rooms[name]; r != nil {
			take(r.members)
		}
	}
	return picked
}

// Broadcast sends to the selected sockets. All queues are filled under one lock,
// so that everybody sees concurrent broadcasts in one order.
func (m *Memory) Broadcast(p Packet, to Audience, flags Flags) { m.broadcast(p, to, flags, nil) }

func (m *Memory) broadcast(p Packet, to Audience, flags Flags, each func(*Socket)) int {
	m.mu.Lock()
	picked := m.pick(to)
	if len(picked) == 0 {
		m.mu.Unlock()
		return 0
	}
	nsp := picked[0].nsp
	frames, err := nsp.Encode(p)
	if err != nil {
		m.mu.Unlock()
		nsp.server.opts.Logger.Error("a packet could not be encoded", "type", p.Type, "err", err)
		return 0
	}
	for _, s := range picked {
		if each != nil {
			each(s)
		}
		if !flags.Volatile || s.conn.session.Writable() {
			s.conn.session.Push(frames...)
		}
	}
	m.mu.Unlock()
	for _, s := range picked {
		s.Flush()
	}
	return len(picked)
}

// BroadcastWithAck sends to the selected sockets and hands on their answers.
func (m *Memory) BroadcastWithAck(p Packet, to Audience, flags Flags, clients func(int), ack func([]any)) (forget func()) {
	id := *p.ID
	var asked []*Socket
	clients(m.broadcast(p, to, flags, func(s *Socket) {
		asked = append(asked, s)
		s.Await(id, ack)
	}))
	return func() {
		for _, s := range asked {
			s.Forget(id)
		}
	}
}

// Join puts the selected sockets into rooms.
func (m *Memory) Join(to Audience, rooms []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.pick(to) {
		m.enter(s, rooms)
	}
}

// Leave takes the selected sockets out of rooms.
func (m *Memory) Leave(to Audience, rooms []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.pick(to) {
		m.exit(s, rooms)
	}
}

// Disconnect disconnects the selected sockets.
func (m *Memory) Disconnect(to Audience, closeTransport bool) {
	m.mu.Lock()
	picked := m.pick(to)
	m.mu.Unlock()
	for _, s := range picked {
		s.Disconnect(closeTransport)
	}
}

// Fetch returns the selected sockets.
func (m *Memory) Fetch(_ context.Context, to Audience) ([]Remote, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	picked := m.pick(to)
	all := make([]Remote, len(picked))
	for i, s := range picked {
		all[i] = Remote{ID: s.id, Rooms: s.rooms(), Data: s.Data()}
	}
	return all, nil
}
