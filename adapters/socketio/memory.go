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

// room has its members in a row, so that a broadcast walks through memory in
// order; a member knows where it stands.
type room struct {
	name    string
	members []*Socket
}

// seat is a socket's place in a room.
type seat struct {
	room *room
	at   int
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
	if s.life.over.Load() {
		return // Gone was called, or is about to be
	}
	m.all[s] = struct{}{}
	for _, name := range rooms {
		if s.seatIn(name) >= 0 {
			continue
		}
		r := m.rooms[name]
		if r == nil {
			r = &room{name: name}
			m.rooms[name] = r
		}
		s.seats = append(s.seats, seat{room: r, at: len(r.members)})
		r.members = append(r.members, s)
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
		if i := s.seatIn(name); i >= 0 {
			m.vacate(s.seats[i])
			s.seats = slices.Delete(s.seats, i, i+1)
		}
	}
}

// seatIn is where among its seats that in the room is, or -1.
func (s *Socket) seatIn(name string) int {
	return slices.IndexFunc(s.seats, func(t seat) bool { return t.room.name == name })
}

// vacate gives the place to the last in the row.
func (m *Memory) vacate(t seat) {
	r, last := t.room, len(t.room.members)-1
	moved := r.members[last]
	r.members[t.at], r.members[last] = moved, nil
	moved.seats[moved.seatIn(r.name)].at = t.at
	if r.members = r.members[:last]; last == 0 {
		delete(m.rooms, r.name)
	}
}

// Gone takes the socket out of everything.
func (m *Memory) Gone(s *Socket) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range s.seats {
		m.vacate(t)
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
	for i, t := range s.seats {
		names[i] = t.room.name
	}
	return names
}

// pick appends the selected sockets to picked, each once; it needs m.mu.
func (m *Memory) pick(to Audience, picked []*Socket) []*Socket {
	if len(to.Rooms) == 1 && len(to.Except) == 0 {
		if r := m.rooms[to.Rooms[0]]; r != nil {
			for _, s := range r.members {
				if s.open.Load() {
					picked = append(picked, s)
				}
			}
		}
		return picked
	}
	out := map[*Socket]struct{}{}
	for _, name := range to.Except {
		if r := m.rooms[name]; r != nil {
			for _, s := range r.members {
				out[s] = struct{}{}
			}
		}
	}
	take := func(s *Socket) {
		if _, no := out[s]; !no && s.open.Load() {
			out[s] = struct{}{} // once is enough
			picked = append(picked, s)
		}
	}
	if len(to.Rooms) == 0 {
		for s := range m.all {
			take(s)
		}
	}
	for _, name := range to.Rooms {
		if r := m.rooms[name]; r != nil {
			for _, s := range r.members {
				take(s)
			}
		}
	}
	return picked
}

// recipients are slices of those a broadcast goes to, used again and again.
var recipients = sync.Pool{New: func() any { return new([]*Socket) }}

// Broadcast sends to the selected sockets. All queues are filled under one lock,
// so that everybody sees concurrent broadcasts in one order.
func (m *Memory) Broadcast(p Packet, to Audience, flags Flags) { m.broadcast(p, to, flags, nil) }

func (m *Memory) broadcast(p Packet, to Audience, flags Flags, each func(*Socket)) int {
	room, _ := recipients.Get().(*[]*Socket)
	m.mu.Lock()
	picked := m.pick(to, (*room)[:0])
	m.push(picked, p, flags, each)
	m.mu.Unlock()
	for _, s := range picked {
		s.Flush()
	}
	n := len(picked)
	clear(picked)
	*room = picked[:0]
	recipients.Put(room)
	return n
}

// push needs m.mu.
func (m *Memory) push(picked []*Socket, p Packet, flags Flags, each func(*Socket)) {
	if len(picked) == 0 {
		return
	}
	nsp := picked[0].nsp
	frames, err := nsp.Encode(p)
	if err != nil {
		nsp.server.opts.Logger.Error("a packet could not be encoded", "type", p.Type, "err", err)
		return
	}
	for _, s := range picked {
		if each != nil {
			each(s)
		}
		if !flags.Volatile || s.session.Writable() {
			s.session.Push(frames...)
		}
	}
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
	for _, s := range m.pick(to, nil) {
		m.enter(s, rooms)
	}
}

// Leave takes the selected sockets out of rooms.
func (m *Memory) Leave(to Audience, rooms []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.pick(to, nil) {
		m.exit(s, rooms)
	}
}

// Disconnect disconnects the selected sockets.
func (m *Memory) Disconnect(to Audience, closeTransport bool) {
	m.mu.Lock()
	picked := m.pick(to, nil)
	m.mu.Unlock()
	for _, s := range picked {
		s.Disconnect(closeTransport)
	}
}

// Fetch returns the selected sockets.
func (m *Memory) Fetch(_ context.Context, to Audience) ([]Remote, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	picked := m.pick(to, nil)
	all := make([]Remote, len(picked))
	for i, s := range picked {
		all[i] = Remote{ID: s.id, Rooms: s.rooms(), Data: s.Data()}
	}
	return all, nil
}
