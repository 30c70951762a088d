package socketio

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"sync"
	"sync/atomic"
	"time"

	"parley/adapters/engineio"
)

// state is how far a socket has come.
type state int

const (
	arriving  state = iota // its middlewares run
	answering              // its CONNECT is being answered
	connected
	departed
)

// Socket is one client in one namespace.
type Socket struct {
	// What a delivery touches stands together. open says that CONNECT was
	// answered: what is sent to its rooms before that is not for it.
	session *engineio.Session
	open    atomic.Bool

	nsp  *Namespace
	conn *conn
	id   string
	came time.Time
	life lifetime

	mu    sync.Mutex
	state state
	// reason is why it has left, or will, where that was decided while it was
	// answered.
	reason Reason
	auth   any
	pid    string
	data   any
	acks   []awaited
	jobs   jobs
	again  *again // its client has left, and comes again, while it is answered

	seats []seat // guarded by the memory adapter's mu
}

func newSocket(n *Namespace, c *conn, auth any) *Socket {
	// working: whoever lets it in does what comes meanwhile.
	return &Socket{session: c.session, nsp: n, conn: c, id: newID(), auth: auth, came: time.Now(), jobs: jobs{working: true}}
}

// newID is 20 characters that cannot be guessed.
func newID() string {
	var b [15]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// ID is what the client knows as socket.id.
func (s *Socket) ID() string { return s.id }

// Namespace is the one it is in.
func (s *Socket) Namespace() *Namespace { return s.nsp }

// Session is the connection it is on, perhaps with others of other namespaces.
func (s *Socket) Session() *engineio.Session { return s.session }

// Request is what the connection began with.
func (s *Socket) Request() *Request { return s.conn.request }

// Context ends when the socket is gone.
func (s *Socket) Context() context.Context { return s.life.context(s.nsp.server.life) }

// Came is when its CONNECT came.
func (s *Socket) Came() time.Time { return s.came }

// Auth is what the client sent with its CONNECT. It is there for middlewares and
// OnConnect, and not kept after that.
func (s *Socket) Auth() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.auth
}

// Reason is why the socket has left; empty while it has not.
func (s *Socket) Reason() Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason
}

// SetPID makes the answer to CONNECT name a private id, by which the client may
// come back; for middlewares.
func (s *Socket) SetPID(pid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pid = pid
}

// Data is what SetData has put there: the application's.
func (s *Socket) Data() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data
}

// SetData keeps something of the application's with the socket.
func (s *Socket) SetData(v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = v
}
