package socketio

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"parley/adapters/crew"
	"parley/adapters/engineio"
)

// Options says how a Server behaves. The zero value of a field is its default.
type Options struct {
	// Engine is for the connections; its Describe is the Server's own.
	Engine engineio.Options
	// Parser is how packets are spelled: JSON().
	Parser Parser
	// ConnectTimeout is how long a connection may go without asking for a
	// namespace, at first and after each refusal, until one has let it in: 45 s.
	// How long a middleware may take is its own affair.
	ConnectTimeout time.Duration
	// MaxEvents is how many events of one socket may wait for their handlers
	// before its connection is ended: 256.
	MaxEvents int
	// MaxEventBytes is how large those together may be, less one: 4 times
	// Engine.MaxPayload.
	MaxEventBytes int
	// AckTimeout is how long an answer is waited for where nobody says: 45 s.
	AckTimeout time.Duration
	// Adapter makes what keeps a namespace's rooms; nil for one in memory, for a
	// server alone.
	Adapter func(*Namespace) Adapter
	// OnClose is told of every connection that has ended, after its sockets have
	// left; those that joined no namespace too. It must not block.
	OnClose func(*engineio.Session, Reason)
	Logger  *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Parser == nil {
		o.Parser = JSON()
	}
	if o.ConnectTimeout <= 0 {
		o.ConnectTimeout = 45 * time.Second
	}
	if o.AckTimeout <= 0 {
		o.AckTimeout = 45 * time.Second
	}
	if o.MaxEvents <= 0 {
		o.MaxEvents = 256
	}
	if o.Engine.MaxPayload <= 0 {
		o.Engine.MaxPayload = 1_000_000
	}
	if o.MaxEventBytes <= 0 {
		o.MaxEventBytes = int(4 * o.Engine.MaxPayload)
	}
	if o.Adapter == nil {
		o.Adapter = func(*Namespace) Adapter { return NewMemory() }
	}
	if o.OnClose == nil {
		o.OnClose = func(*engineio.Session, Reason) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Engine.Logger == nil {
		o.Engine.Logger = o.Logger
	}
	return o
}

// Server speaks Socket.IO over Engine.IO. Namespaces, middlewares and handlers
// are set before the first connection comes.
type Server struct {
	opts    Options
	engine  *engineio.Server
	life    context.Context // ends with Close
	end     context.CancelFunc
	crew    crew.Crew
	joining deadlines

	mu         sync.Mutex
	namespaces map[string]*Namespace
	conns      map[*conn]struct{}
}

// New makes a Server. Close ends it.
func New(o Options) (*Server, error) {
	s := &Server{opts: o.withDefaults(), namespaces: map[string]*Namespace{}, conns: map[*conn]struct{}{}}
	s.life, s.end = context.WithCancel(context.Background())
	s.joining.after, s.joining.expired = s.opts.ConnectTimeout, func(c *conn) { c.abort(ReasonNoConnect) }
	s.opts.Engine.Describe = describe
	var err error
	if s.engine, err = engineio.New(s.opts.Engine, (*handler)(s)); err != nil {
		return nil, err
	}
	return s, nil
}

// ServeHTTP serves the connections, whatever the path.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.engine.ServeHTTP(w, r) }

// Of is the namespace of that name, made where there is none; "/" is the one
// clients are in unless they ask for another.
func (s *Server) Of(name string) *Namespace {
	if name == "" || name[0] != '/' {
		name = "/" + name
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.namespaces[name]
	if n == nil {
		n = newNamespace(s, name)
		s.namespaces[name] = n
	}
	return n
}

// Sessions are the connections there are.
func (s *Server) Sessions() []*engineio.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*engineio.Session, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c.session)
	}
	return all
}

// find is the namespace; nil where there is none.
func (s *Server) find(name string) *Namespace {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.namespaces[name]
}

// Drain lets no new connection in any more; those there are go on.
func (s *Server) Drain() { s.engine.Drain() }

// Close ends all connections and returns when every handler has returned, or
// ctx has ended.
func (s *Server) Close(ctx context.Context) error {
	s.joining.stop()
	err := s.engine.Shutdown(ctx)
	s.end()
	if werr := s.crew.Wait(ctx); err == nil {
		err = werr
	}
	return err
}

// handler is the Server as the engine sees it.
type handler Server

func (h *handler) Open(session *engineio.Session) { (*Server)(h).open(session) }

func (h *handler) Message(session *engineio.Session, data []byte, binary bool) {
	if c, ok := session.Attached().(*conn); ok {
		c.message(data, binary)
	}
}

func (h *handler) Close(session *engineio.Session, reason engineio.Reason, _ error) {
	if c, ok := session.Attached().(*conn); ok {
		c.closed(reason)
	}
}
