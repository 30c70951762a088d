package hub

import (
	"context"
	"net"
	"strings"

	"parley/adapters/socketio"
	"parley/models"
)

// Door is where a socket waits until it is let in: what is sent to its rooms
// is held back until its backlog has been sent.
type Door struct {
	m *member
	// who is whose socket it is, once that is known.
	who    models.Identity
	known  bool
	caught bool // what the other pods had published by then is dealt with
	kept   any
	later  func(context.Context) []models.Event
}

// Identity is what OnAuthenticate has found out.
func (d *Door) Identity() models.Identity { return d.who }

// Later is asked for more of the backlog once the client is told connect; what is
// sent to its rooms meanwhile waits for that.
func (d *Door) Later(fn func(context.Context) []models.Event) { d.later = fn }

// Keep holds what the next try to let this socket in has to know of this one;
// Kept is what was kept last, nil the first time.
func (d *Door) Keep(v any) { d.kept = v }

// Kept returns it.
func (d *Door) Kept() any { return d.kept }

// SocketID is the id the client will see as socket.id.
func (d *Door) SocketID() models.SocketID { return models.SocketID(d.m.id) }

// Has says what its client has already. Of what is told once the other pods are
// heard again, that is left out; and its session says since when it had more.
func (d *Door) Has(had models.Had) {
	s := d.m.server
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	h := &d.m.history
	h.before, h.brought = had.Heard, make(map[models.MessageID]struct{}, len(had.Seen))
	for _, id := range had.Seen {
		h.brought[id] = struct{}{}
	}
	if d.m.phase == atDoor && d.m.mayReturn() {
		heard := had.Heard
		if oldest := s.opts.Now().Add(-models.OldestSession / 2); heard.Before(oldest) {
			heard = oldest
		}
		s.index.hold(d.m, models.NewSessionID(d.m.user, heard))
	}
}

// Identify ties the socket to its user: joins and leaves that name the user
// reach it from here on.
func (d *Door) Identify(user models.UserID) {
	s := d.m.server
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	now := s.opts.Now()
	if d.m.phase != atDoor {
		return
	}
	d.m.user = user
	if d.m.mayReturn() {
		s.index.hold(d.m, models.NewSessionID(user, now))
	}
	s.index.join(d.m, userRoom(user), now)
}

// Enter joins the chats' rooms, less those the socket was told to leave since
// it was identified. It is false, and joins none, where the other pods were not
// heard for a while: what it knows of the chats may be older than that.
func (d *Door) Enter(chats []models.ChatID) bool {
	s := d.m.server
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	now := s.opts.Now()
	if d.m.phase != atDoor {
		return true
	}
	seating := &d.m.seating
	if seating.stale {
		seating.stale, seating.left = false, nil
		return false
	}
	seating.entered = true
	d.m.history.heard = s.opts.Marks.Heard()
	for _, chat := range chats {
		if _, left := seating.left[string(chat)]; !left {
			s.index.join(d.m, string(chat), now)
		}
	}
	return true
}

// Hears returns once this pod hears of the rooms the socket has entered: what it
// missed is looked up after that, or messages could fall in between.
func (d *Door) Hears(ctx context.Context) error {
	watcher := d.m.server.index.watcher
	if watcher == nil {
		return nil
	}
	if err := watcher.RoomsHeard(ctx); err != nil {
		return models.Unavailable("the other pods", err)
	}
	return nil
}

// Token returns what the client sent as auth.token, of whatever type; a client
// of protocol 3 sends it as the query parameter token.
func (d *Door) Token() (token any, present bool) {
	if d.m.session.Protocol() == 3 {
		query := d.m.socket.Request().Query()
		if !query.Has("token") {
			return nil, false
		}
		return query.Get("token"), true
	}
	auth, _ := d.m.socket.Auth().(map[string]any)
	token = auth["token"]
	return token, token != nil
}

// RemoteAddr says who connects.
func (d *Door) RemoteAddr() string { return d.m.session.RemoteAddr() }

// UserAgent is what the client calls itself.
func (d *Door) UserAgent() string { return d.m.socket.Request().Header("user-agent") }

// Device is what the client is known by; an address without its port.
func (d *Door) Device() models.Device {
	addr := d.RemoteAddr()
	if host, _, err := net.SplitHostPort(addr); err == nil {
		addr = host
	}
	agent := d.UserAgent()
	agent = strings.ToValidUTF8(agent[:min(len(agent), maxAgent)], "") // as it comes back from where it is kept
	return models.Device{Protocol: d.m.session.Protocol(), Agent: agent, Addr: addr}
}

// maxAgent is how much of what a client calls itself is looked at.
const maxAgent = 256

const userRoomPrefix = "user:"

func userRoom(u models.UserID) string { return userRoomPrefix + string(u) }

// letIn makes the member one that leaves by OnDisconnect; false says that its
// backlog could not be encoded, and that it can only leave.
func (s *Server) letIn(m *member, w Welcome) bool {
	var backlog []message
	ok := s.guard("Encode", func() { backlog = s.encodeAll(m, w.Backlog) })
	now := s.opts.Now()
	s.index.mu.Lock()
	m.gate.welcome, m.gate.later = backlog, w.later
	m.expires = w.ExpiresAt
	m.phase = admitted
	if m.user == "" && w.UserID != "" {
		m.user = w.UserID
		s.index.join(m, userRoom(w.UserID), now)
	}
	m.socket.SetPID(string(m.resume))
	s.index.mu.Unlock()
	if m.socket.Reason() != "" { // it has gone, and was not ours to tell then
		s.depart(m, m.socket.Reason())
	}
	return ok
}

// welcome is called as connect is answered: what is sent now follows it.
func (s *Server) welcome(socket *socketio.Socket) {
	m := memberOf(socket)
	s.index.mu.Lock()
	if m.phase != admitted {
		s.index.mu.Unlock()
		return
	}
	m.phase = live
	g, now := m.gate, s.opts.Now()
	m.greet(g.welcome, now)
	g.welcome = nil
	if g.later == nil {
		m.open(now)
	}
	s.index.mu.Unlock()
	if g.later != nil {
		s.crew.Run(func() { s.complete(m, g) })
	}
	s.opts.Metrics.SocketOpened()
	m.session.Flush()
	switch g.kicked {
	case kickSocket:
		socket.Disconnect(false)
	case kickTransport:
		m.cut(cutKicked)
	}
}

// complete sends what else of the backlog was found, and opens the gate.
func (s *Server) complete(m *member, g *gate) {
	var more []message
	s.guard("Later", func() { more = s.encodeAll(m, g.later(m.socket.Context())) })
	s.index.mu.Lock()
	if m.phase == live {
		now := s.opts.Now()
		m.greet(more, now)
		m.open(now)
	}
	s.index.mu.Unlock()
	m.session.Flush()
}

// encodeAll is for a backlog, in order: what a message's client was not sent, it has
// to be given again from the time on at which that was made.
func (s *Server) encodeAll(m *member, events []models.Event) []message {
	s.index.mu.Lock()
	heard := m.history.heard // before the backlog was read
	s.index.mu.Unlock()
	all := make([]message, 0, len(events))
	for _, ev := range events {
		p, volatile := s.event(ev)
		told, isMessage := ev.(models.NewMessage)
		upTo := heard
		if isMessage && told.Message.CreatedAt.Before(heard) {
			upTo = told.Message.CreatedAt
		}
		msg, ok := s.spell(p, volatile, upTo)
		if !ok {
			continue
		}
		if isMessage && msg.sent != nil {
			msg.sent.at = told.Message.CreatedAt
			msg.rooms = []string{string(told.Message.ChatID)}
		}
		all = append(all, msg)
	}
	return all
}

// refused is what a client is told of err, by a connect_error, which stock
// clients take for the last word: it is for what another try would not change.
func (s *Server) refused(err error) error {
	e := models.AsError(err)
	s.opts.Metrics.Refused(string(e.Code))
	message := e.Message
	if strings.HasPrefix(string(e.Code), "token_") {
		message = "Authentication error"
	}
	return &socketio.Refusal{Message: message, Data: map[string]any{"code": string(e.Code), "message": e.Message}}
}
