package hub

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"parley/adapters/cluster"
	"parley/adapters/crew"
	"parley/adapters/engineio"
	"parley/adapters/socketio"
	"parley/models"
)

// Welcome is what a socket that was let in is given.
type Welcome struct {
	UserID models.UserID
	// Backlog is sent to the socket right after connect, before anything live.
	Backlog []models.Event
	// ExpiresAt is when the connection has to be made anew; zero for never.
	ExpiresAt time.Time

	later func(context.Context) []models.Event
}

// Server is this pod's sockets. Its On… methods are called before Start.
type Server struct {
	opts    Options
	io      *socketio.Server
	nsp     *socketio.Namespace
	index   *index
	crew    crew.Crew
	leavers chan struct{}
	places  *places
	// coming is the pace of new connections, beginning that of those that are let
	// in: after an outage thousands stand at the door.
	coming, beginning *pace
	waiting           atomic.Int64
	// complaints are about sockets that cannot be let in: seldom, because there
	// may be thousands of them.
	complaints rate.Sometimes

	onAuthenticate func(context.Context, *Door) (models.Identity, error)
	onConnect      func(context.Context, *Door) (Welcome, error)
	onDisconnect   func(context.Context, models.Departure)
	onResumed      func(context.Context, time.Time) error
	resumption     resumption
	detained       detained
	reseating      chan struct{} // one Reseat at a time: each notes what moves meanwhile
	catching       catchingUp

	draining atomic.Bool
	closing  atomic.Bool
	started  atomic.Bool
	heard    chan struct{} // closed once the other pods are heard
	stop     chan struct{}
	life     context.Context // ends with stop
	end      context.CancelFunc
	stopOnce sync.Once
}

// New makes a Server that serves nobody before OnConnect is set.
func New(o Options) (*Server, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		opts: opts, index: newIndex(), leavers: make(chan struct{}, leaversAtOnce),
		places: newPlaces(opts.LetInAtOnce), complaints: rate.Sometimes{Interval: complaintEvery}, coming: newPace(), beginning: newPace(),
		detained: detained{patience: detainFor, limit: maxDetained}, stop: make(chan struct{}), heard: make(chan struct{}),
	}
	s.reseating = make(chan struct{}, 1)
	s.life, s.end = context.WithCancel(context.Background())
	s.index.watcher, _ = opts.Bus.(cluster.RoomWatcher)
	parser := socketio.JSON()
	if opts.Msgpack {
		parser = socketio.Msgpack()
	}
	s.io, err = socketio.New(socketio.Options{
		Engine: engineio.Options{
			PingInterval: opts.PingInterval, PingTimeout: opts.PingTimeout, CloseTimeout: farewell,
			MaxPayload: opts.MaxPayload, MaxBacklog: opts.MaxBacklogBytes, AllowEIO3: opts.AllowEIO3,
			CORS: corsOf(opts.CORSOrigins), Metrics: engineMetrics{opts.Metrics}, Now: time.Now,
			AllowRequest: s.comes,
		},
		Parser: parser, ConnectTimeout: opts.ConnectTimeout, MaxEvents: maxEvents,
		Adapter: func(*socketio.Namespace) socketio.Adapter { return adapter{s} },
		OnClose: s.onClose, Logger: opts.Logger,
	})
	if err != nil {
		return nil, err
	}
	s.nsp = s.io.Of("/")
	s.nsp.Use(s.admit)
	s.nsp.OnConnect(s.welcome)
	s.nsp.OnLeaving(func(socket *socketio.Socket, reason socketio.Reason) { s.depart(memberOf(socket), reason) })
	return s, nil
}

func corsOf(origins []string) engineio.CORS {
	return engineio.CORS{Origins: origins, Credentials: len(origins) > 0 && origins[0] != "*"}
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

// OnDisconnect is called exactly once for each socket OnConnect let in.
func (s *Server) OnDisconnect(fn func(ctx context.Context, d models.Departure)) { s.onDisconnect = fn }

// OnResumed is called when what other pods sent may have been missed: messages,
// joins and leaves; for one such time after the other, and again after an error.
func (s *Server) OnResumed(fn func(ctx context.Context, since time.Time) error) { s.onResumed = fn }

// On handles an event from clients. Handlers of one socket run one after the
// other, and may block. What fn returns is sent if the client asked for an ack.
func (s *Server) On(event string, fn func(ctx context.Context, socket *Socket, args []any) (ack any)) {
	s.nsp.On(event, func(socket *socketio.Socket, e *socketio.Event) {
		s.guard("event handler", func() {
			answer := fn(socket.Context(), &memberOf(socket).face, e.Args)
			if answer == nil {
				e.Ack()
				return
			}
			e.Ack(answer)
		})
	})
}

// Start starts the bus and the upkeep. It returns once the other pods are heard.
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
	s.crew.Run(s.upkeep)
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

// onClose counts the connections that this pod has ended.
func (s *Server) onClose(session *engineio.Session, reason socketio.Reason) {
	name, cut := reasonOf(reason)
	if !cut {
		return
	}
	s.opts.Metrics.Cut(name)
	level := s.opts.Logger.Warn
	switch name {
	case cutTokenExpired, cutShuttingDown, cutIdle, cutReplaced:
		level = s.opts.Logger.Debug
	}
	level("socket cut off", "reason", name, "connection", session.RemoteAddr())
}

// engineMetrics is what of the engine's is counted here.
type engineMetrics struct{ m Metrics }

func (engineMetrics) Opened(int, string)            {}
func (engineMetrics) Upgraded()                     {}
func (engineMetrics) UpgradeFailed(engineio.Reason) {}
func (engineMetrics) Closed(engineio.Reason)        {}
func (engineMetrics) Refused(int)                   {}
func (e engineMetrics) Panicked()                   { e.m.Panicked() }
