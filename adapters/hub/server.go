package hub

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zishang520/socket.io/servers/engine/v3"
	"github.com/zishang520/socket.io/servers/engine/v3/transports"
	sio "github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
	"golang.org/x/time/rate"

	"parley/adapters/cluster"
	"parley/models"
)

// Welcome is what a socket that was let in is given.
type Welcome struct {
	UserID models.UserID
	// Backlog is sent to the socket right after connect, before anything live.
	Backlog []models.Event
	// ExpiresAt is when the connection has to be made anew; zero for never.
	ExpiresAt time.Time
}

// Server is this pod's sockets. Its On… methods are called before Start.
type Server struct {
	opts    Options
	io      *sio.Server
	engine  engine.Server
	nsp     sio.Namespace
	adapter *adapter
	index   *index
	crew    crew
	leavers chan struct{}
	places  *places
	waiting atomic.Int64
	// complaints are about sockets that cannot be let in: seldom, because there
	// may be thousands of them.
	complaints rate.Sometimes

	onAuthenticate func(context.Context, *Door) (models.Identity, error)
	onConnect      func(context.Context, *Door) (Welcome, error)
	onReady        func(context.Context, *Socket)
	onDisconnect   func(context.Context, models.Departure)
	onResumed      func(context.Context, time.Time)
	resumption     resumption
	reseating      sync.Mutex // one Reseat at a time: each notes what moves meanwhile
	handlers       map[string]func(context.Context, *Socket, []any) any

	draining atomic.Bool
	closing  atomic.Bool
	started  atomic.Bool
	heard    chan struct{} // closed once the other pods are heard
	stop     chan struct{}
	life     context.Context // ends with stop
	end      context.CancelFunc
	stopOnce sync.Once

	mu    sync.Mutex
	links map[string]*link

	deaf deafness

	acksMu sync.Mutex
	acks   []awaited
}

// New makes a Server that serves nobody before OnConnect is set.
func New(o Options) (*Server, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		opts:       opts,
		index:      newIndex(),
		leavers:    make(chan struct{}, leaversAtOnce),
		places:     newPlaces(opts.LetInAtOnce),
		complaints: rate.Sometimes{Interval: complaintEvery},
		handlers:   map[string]func(context.Context, *Socket, []any) any{},
		stop:       make(chan struct{}),
		heard:      make(chan struct{}),
		links:      map[string]*link{},
	}
	s.life, s.end = context.WithCancel(context.Background())
	s.index.watcher, _ = opts.Bus.(cluster.RoomWatcher)
	so := sio.DefaultServerOptions()
	so.SetServeClient(false)
	so.SetAdapter(&adapterBuilder{server: s})
	so.SetPingInterval(opts.PingInterval)
	so.SetPingTimeout(libraryPatience(opts.PingInterval, opts.PingTimeout))
	// Our own sweep ends connections without a CONNECT: the library's timer would
	// also end those that wait at the door, after a refusal once more.
	so.SetConnectTimeout(4 * (opts.ConnectTimeout + 5*time.Second))
	so.SetMaxHttpBufferSize(opts.MaxPayload)
	so.SetAllowEIO3(opts.AllowEIO3)
	so.SetIdleTimeout(2*(opts.PingInterval+opts.PingTimeout) + 10*time.Second)
	so.SetParser(s.packets())
	hello := opening{pingTimeout: opts.PingTimeout}
	so.SetTransports(types.NewSet[transports.TransportCtor](&pollingBuilder{opening: hello}, &websocketBuilder{opening: hello}))
	so.SetCors(corsOf(opts.CORSOrigins))

	s.io = sio.NewServer(nil, so)
	s.nsp = s.io.Sockets()
	s.engine = engine.NewServer(so)
	// Set after the engine was made, this changes no header; it only lets
	// WebSockets of any origin in, as Node does: CORS is about what pages may
	// read, and a WebSocket needs its token whatever page it comes from.
	s.engine.Opts().SetCors(&types.Cors{Origin: true})
	_ = s.engine.On("connection", s.onConnection)
	s.io.Bind(s.engine)
	s.io.Use(s.admit)
	_ = s.io.On("connection", s.onSocket)
	return s, nil
}

func (s *Server) packets() packets {
	p := packets{msgpack: s.opts.Msgpack, attached: s.opts.MaxPayload, failed: func(err error) {
		s.opts.Logger.Error("an event could not be encoded", "err", err)
	}}
	if s.opts.Recovery {
		p.pid = s.index.session
	}
	return p
}

func corsOf(origins []string) *types.Cors {
	switch {
	case len(origins) == 0:
		return nil
	case len(origins) == 1 && origins[0] == "*":
		return &types.Cors{Origin: "*"}
	}
	allowed := make([]any, len(origins))
	for i, o := range origins {
		allowed[i] = o
	}
	return &types.Cors{Origin: allowed, Credentials: true}
}

// OnAuthenticate says whose socket it is. It is asked until it has answered, and
// not again for the same CONNECT.
func (s *Server) OnAuthenticate(fn func(ctx context.Context, d *Door) (models.Identity, error)) {
	s.onAuthenticate = fn
}

// OnConnect lets a socket in. What it refuses for the client's own sake is told
// to the client: a token_* code as "Authentication error", any other by its
// message. Where the trouble is ours it is called again while the socket waits,
// and must have left nothing behind.
func (s *Server) OnConnect(fn func(ctx context.Context, d *Door) (Welcome, error)) { s.onConnect = fn }

// OnReady is called once a socket was sent connect and its backlog.
func (s *Server) OnReady(fn func(ctx context.Context, socket *Socket)) { s.onReady = fn }

// OnDisconnect is called exactly once for each socket OnConnect let in.
func (s *Server) OnDisconnect(fn func(ctx context.Context, d models.Departure)) { s.onDisconnect = fn }

// OnResumed is called when what other pods sent may have been missed: messages,
// joins and leaves; for one such time after the other.
func (s *Server) OnResumed(fn func(ctx context.Context, since time.Time)) { s.onResumed = fn }

// On handles an event from clients. Handlers of one socket run one after the
// other, and may block. What fn returns is sent if the client asked for an ack.
func (s *Server) On(event string, fn func(ctx context.Context, socket *Socket, args []any) (ack any)) {
	s.handlers[event] = fn
}

// Start starts the bus and the sweeper. It returns once the other pods are heard.
func (s *Server) Start(ctx context.Context) error {
	if s.onConnect == nil {
		return errors.New("hub: OnConnect is not set")
	}
	if !s.started.CompareAndSwap(false, true) {
		return errors.New("hub: started twice")
	}
	if err := s.opts.Bus.Start(ctx, &local{s: s}); err != nil {
		s.started.Store(false)
		return fmt.Errorf("start the bus: %w", err)
	}
	close(s.heard)
	s.crew.run(s.sweep)
	return nil
}

// Ready returns nil while this pod takes sockets and hears the other pods.
func (s *Server) Ready() error {
	if s.draining.Load() || s.closing.Load() {
		return models.Refuse(models.CodeShuttingDown, "this server is shutting down")
	}
	if err := s.opts.Bus.Ready(); err != nil {
		return models.Unavailable("the other pods", err)
	}
	return nil
}

// Sockets counts this pod's sockets, those at the door included.
func (s *Server) Sockets() int { return s.index.size() }

// Waiting counts those at the door.
func (s *Server) Waiting() int { return int(s.waiting.Load()) }

// guard runs fn; a panic is logged and counted, and reported as false.
func (s *Server) guard(what string, fn func()) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			s.opts.Metrics.Panicked()
			s.opts.Logger.Error("panic", "in", what, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	fn()
	return true
}
