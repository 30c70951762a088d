package hub

import (
	"context"
	"strings"
	"time"

	sio "github.com/zishang520/socket.io/servers/socket/v3"

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
}

// Identity is what OnAuthenticate has found out.
func (d *Door) Identity() models.Identity { return d.who }

// Keep holds what the next try to let this socket in has to know of this one;
// Kept is what was kept last, nil the first time.
func (d *Door) Keep(v any) { d.kept = v }

// Kept returns it.
func (d *Door) Kept() any { return d.kept }

// SocketID is the id the client will see as socket.id.
func (d *Door) SocketID() models.SocketID { return models.SocketID(d.m.id) }

// Has says what its client has already, of what the other pods are found to
// have said while they were not heard: all from before since, and those messages.
func (d *Door) Has(since time.Time, messages []models.MessageID) {
	x := d.m.server.index
	x.mu.Lock()
	defer x.mu.Unlock()
	d.m.hasSince, d.m.has = since, make(map[models.MessageID]struct{}, len(messages))
	for _, id := range messages {
		d.m.has[id] = struct{}{}
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
	if d.m.offsets {
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
	if d.m.stale {
		d.m.stale, d.m.left = false, nil
		return false
	}
	d.m.entered = true
	for _, chat := range chats {
		if _, left := d.m.left[string(chat)]; !left {
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
	if d.m.socket.Conn().Protocol() == 3 {
		query := d.m.socket.Request().Query()
		if !query.Has("token") {
			return nil, false
		}
		return query.Peek("token"), true
	}
	token = d.m.socket.Handshake().Auth["token"]
	return token, token != nil
}

// RemoteAddr says who connects.
func (d *Door) RemoteAddr() string {
	return d.m.server.opts.ClientIP(d.m.socket.Request().Request())
}

// UserAgent is what the client calls itself.
func (d *Door) UserAgent() string { return d.m.socket.Request().Request().UserAgent() }

func userRoom(u models.UserID) string { return "user:" + string(u) }

// admit is the middleware each CONNECT passes. It runs on the goroutine that
// reads the connection, so it only starts what decides.
func (s *Server) admit(socket *sio.Socket, next func(*sio.ExtendedError)) {
	l := s.linkOf(socket.Conn())
	if l == nil { // the connection is gone already; the library notices by itself
		next(sio.NewExtendedError("the connection is closed", map[string]any{}))
		return
	}
	if s.draining.Load() || s.closing.Load() {
		s.crew.run(func() { s.turnOut(l, cutShuttingDown, next) })
		return
	}
	m := &member{
		server: s, link: l, socket: socket, id: string(socket.Id()),
		rooms: make(map[string]time.Time, 8), gated: true, known: make(chan struct{}),
		offsets: s.opts.Recovery && socket.Conn().Protocol() != 3,
	}
	l.mu.Lock()
	if l.member != nil {
		l.mu.Unlock()
		l.cut(cutRepeated) // without an answer, as Node does it
		return
	}
	l.member = m
	l.mu.Unlock()
	l.goodbye.Store(false) // that was another socket's
	m.ctx, m.cancel = context.WithCancel(l.ctx)
	m.face = &Socket{m: m}
	s.index.add(m, s.opts.Now())
	s.crew.run(func() { s.decide(m, next) })
}

// letIn makes the member one that leaves by OnDisconnect. Its backlog is encoded
// here, off the library's goroutines; false says that it could not be, and that
// the member can only leave.
func (s *Server) letIn(m *member, w Welcome) bool {
	backlog := make([]*frame, 0, len(w.Backlog))
	ok := s.guard("Encode", func() {
		for _, ev := range w.Backlog {
			p, volatile := s.eventPacket(ev)
			f := s.frame(p, nil, volatile)
			f.identify(s.messageID(p), s.opts.Now(), s.opts.Recovery)
			if msg, ok := ev.(models.NewMessage); ok {
				f.at = msg.Message.CreatedAt
			}
			f.encode()
			backlog = append(backlog, f)
		}
	})
	if !w.ExpiresAt.IsZero() {
		m.expires.Store(&w.ExpiresAt)
	}
	now := s.opts.Now()
	m.mu.Lock()
	m.welcome = backlog
	m.mu.Unlock()
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	m.phase = admitted
	m.let.Store(true)
	if m.user == "" && w.UserID != "" {
		m.user = w.UserID
		s.index.join(m, userRoom(w.UserID), now)
	}
	return ok
}

// refuse answers a CONNECT with connect_error, which stock clients take for the
// last word: it is for what another try would not change. Its data is never nil:
// clients would be sent null.
func (s *Server) refuse(next func(*sio.ExtendedError), err error) {
	e := models.AsError(err)
	s.opts.Metrics.Refused(string(e.Code))
	message := e.Message
	if strings.HasPrefix(string(e.Code), "token_") {
		message = "Authentication error"
	}
	next(sio.NewExtendedError(message, map[string]any{"code": string(e.Code), "message": e.Message}))
}

// onSocket is the library's connection event: connect was written, the socket
// is in the library's books.
func (s *Server) onSocket(args ...any) {
	socket, ok := args[0].(*sio.Socket)
	if !ok {
		return
	}
	m := s.index.find(string(socket.Id()))
	// A connection that ended before the socket was in its books leaves a ghost.
	if m == nil || socket.Conn().ReadyState() == "closed" {
		socket.Disconnect(false)
		return
	}
	close(m.known)
	_ = socket.On("disconnecting", func(args ...any) {
		if len(args) > 0 {
			if reason, ok := args[0].(string); ok {
				m.disconnected.CompareAndSwap(nil, &reason)
			}
		}
	})
	socket.OnAny(m.onEvent)

	s.index.mu.Lock()
	if m.phase != admitted {
		s.index.mu.Unlock()
		return
	}
	m.phase = live
	m.left = nil
	s.index.mu.Unlock()
	m.link.hasJoined()
	s.opts.Metrics.SocketOpened()
	m.release(s.opts.Now())
	if s.onReady != nil {
		m.enqueue(func(ctx context.Context) { s.onReady(ctx, m.face) })
	}
	switch m.kicked.Load() {
	case kickSocket:
		socket.Disconnect(false)
	case kickTransport:
		m.link.cut(cutKicked)
	}
}

const (
	kickSocket    = 1
	kickTransport = 2
)
