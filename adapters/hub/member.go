package hub

import (
	"context"
	"slices"
	"time"

	"parley/adapters/engineio"
	"parley/adapters/socketio"
	"parley/models"
)

// phase is how far a socket has come.
type phase int

const (
	atDoor   phase = iota // OnConnect is running
	admitted              // OnConnect succeeded; from here on it leaves by OnDisconnect
	live                  // connect and the backlog were sent
	gone
)

// member is one socket of this pod, from its CONNECT until it has left. What
// follows id is guarded by index.mu.
type member struct {
	server  *Server
	socket  *socketio.Socket
	session *engineio.Session
	id      string
	face    Socket

	phase   phase
	user    models.UserID
	seats   []seat
	resume  models.SessionID // by which its client may come back; empty where it may not
	expires time.Time        // zero for never
	gate    *gate            // nil once it is open
	history history
	seating seating
	refused []sentAt // what its connection, or the gate, took no more
}

// gate holds back what is sent to a socket's rooms until its backlog was sent.
type gate struct {
	welcome []message
	// later has more of the backlog, once connect was sent; nil for nothing.
	later func(context.Context) []models.Event
	held  []message
	bytes int
	// out are the rooms it left meanwhile, once connect was sent: it has heard what was
	// said there, and older messages must not come behind that.
	out    []string
	kicked kick // told to go before it was in
}

type kick int

const (
	kickSocket    kick = 1 + iota // out of the namespace
	kickTransport                 // off its connection
)

// history is what a socket was given beyond what its rooms remember.
type history struct {
	// before and brought are what its client had when it came: all that is older, and
	// these. Other pods may say of them only now, after an outage.
	before  time.Time
	brought map[models.MessageID]struct{}
	// heard is up to when all messages had been given to this Server before it was
	// looked up what more it missed; came is when it had been given that, zero before.
	heard, came time.Time
	// backlog is that, with when it was given, not to be sent live; given is the same
	// in its order, as far as it is of use.
	backlog map[models.MessageID]time.Time
	given   []models.Delivery
	// apart is what it was sent and its rooms do not say: what went to a room before
	// the socket was there, and to it later, and to rooms it has left.
	apart []sentAt
	from  time.Time // apart has all since then, or all where it is zero
}

func memberOf(socket *socketio.Socket) *member {
	m, _ := socket.Data().(*member)
	return m
}

// give queues a message, in the order of calls; it needs index.mu. It says
// whether it was taken, and whether there is something to flush.
func (m *member) give(msg *message) (taken, flush bool) {
	if msg.sent != nil && m.history.gave(msg.sent.id) {
		return false, false
	}
	if m.gate != nil {
		return m.hold(msg), false
	}
	if msg.volatile && !m.session.Writable() {
		return false, false
	}
	taken = m.push(msg)
	return taken, taken
}

// push queues the message's frames; what a connection that ends takes no more is
// remembered, because its room remembers it as sent. It needs index.mu.
func (m *member) push(msg *message) bool {
	if m.session.Push(msg.to(m)...) {
		return true
	}
	m.misses(msg)
	return false
}

func (m *member) misses(msg *message) {
	if msg.sent != nil && len(m.refused) < maxSeen { // those that follow are later, and as little seen
		m.refused = append(m.refused, *msg.sent)
	}
}

func (m *member) hold(msg *message) bool {
	g, opts := m.gate, &m.server.opts
	if msg.volatile {
		return false
	}
	if len(g.held) >= opts.MaxHeld || g.bytes+msg.size > opts.MaxBacklogBytes {
		m.cut(cutDoorOverflow)
		m.misses(msg)
		return false
	}
	g.held = append(g.held, *msg)
	g.bytes += msg.size
	return true
}

// cut ends the connection; what is queued is not written any more.
func (m *member) cut(reason string) { m.session.Abort(engineio.Reason(reason)) }

// greet sends the backlog, or more of it, while the gate is shut. It needs
// index.mu.
func (m *member) greet(backlog []message, now time.Time) {
	backlog = slices.DeleteFunc(backlog, func(msg message) bool {
		return !m.mayHear(&msg) || slices.ContainsFunc(msg.rooms, func(room string) bool { return slices.Contains(m.gate.out, room) })
	})
	size := 0
	for _, msg := range backlog {
		size += msg.size
	}
	m.session.Grant(size)
	for _, msg := range backlog {
		if msg.sent != nil {
			if _, twice := m.history.backlog[msg.sent.id]; twice {
				continue
			}
		}
		m.push(&msg)
	}
	m.history.begin(backlog, now)
}

// open lets the member hear what was held back, less what its backlog had, and
// then whatever comes. It needs index.mu.
func (m *member) open(now time.Time) {
	g := m.gate
	m.gate, m.history.came = nil, now
	for _, msg := range g.held {
		if m.mayHear(&msg) {
			m.give(&msg)
		}
	}
	m.seating.left = nil
}

// hearsOut sends a member that was told connect, and is about to leave the room, what
// was said there and held back since: it was there. It needs index.mu.
func (m *member) hearsOut(room string) {
	if m.gate == nil || m.phase != live {
		return
	}
	m.gate.out = append(m.gate.out, room)
	m.gate.held = slices.DeleteFunc(m.gate.held, func(msg message) bool {
		if !slices.Contains(msg.rooms, room) || msg.sent == nil {
			return false
		}
		m.gate.bytes -= msg.size
		if !m.history.gave(msg.sent.id) {
			m.push(&msg)
		}
		return true
	})
}

// mayHear is false where the member was told to leave where the message is for
// while that was looked up or held back. It needs index.mu.
func (m *member) mayHear(msg *message) bool {
	left := false
	for _, name := range msg.rooms {
		if m.seatIn(m.server.index.rooms[name]) >= 0 {
			return true
		}
		_, out := m.seating.left[name]
		left = left || out
	}
	return !left
}

func (h *history) begin(backlog []message, now time.Time) {
	for _, msg := range backlog {
		if msg.sent == nil {
			continue
		}
		if h.backlog == nil {
			h.backlog = make(map[models.MessageID]time.Time, len(backlog))
		}
		h.backlog[msg.sent.id] = now
		h.given = append(h.given, models.Delivery{ID: msg.sent.id, At: msg.sent.at})
	}
}

// gave says whether the client had the message before it is sent live.
func (h *history) gave(id models.MessageID) bool {
	_, gave := h.backlog[id]
	_, brought := h.brought[id]
	return gave || brought
}

// sets apart what the socket was sent, the newest of it.
func (h *history) sets(sent ...sentAt) {
	h.apart = append(h.apart, sent...)
	if over := len(h.apart) - maxSeen; over > 0 {
		h.apart = slices.Clone(h.apart[over:])
		h.from = later(h.from, h.apart[0].at)
	}
}

// brings says whether the client had the message when it came, or was sent it in
// a room it has left since.
func (h *history) brings(message models.Message) bool {
	_, had := h.brought[message.ID]
	return had || message.CreatedAt.Before(h.before) || slices.ContainsFunc(h.apart, func(s sentAt) bool { return s.id == message.ID })
}

// forget drops what was told apart when it came once that is beyond the horizon.
func (h *history) forget(horizon time.Time) {
	if h.came.IsZero() || !h.came.Before(horizon) {
		return
	}
	h.brought, h.backlog = nil, nil
	if over := len(h.given) - maxGiven; over > 0 {
		h.given = slices.Clone(h.given[over:])
	}
}
