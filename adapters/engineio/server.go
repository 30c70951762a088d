package engineio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"parley/adapters/crew"
)

// Server serves Engine.IO at whatever path it is mounted.
type Server struct {
	opts     Options
	handler  Handler
	began    time.Time
	registry registry
	crew     crew.Crew
	quit     chan struct{}
	stop     sync.Once

	pollAmidProbe time.Duration // probedPollTime, but in tests

	times *timetable
	// What is waited for: the next ping to be due, a pong, the ping of a client of
	// protocol 3, the end of an upgrade, that of an orderly close.
	pings, pongs, silences, upgrades, closings *alarms
}

// New makes a Server that is at work until Close or Shutdown.
func New(o Options, h Handler) (*Server, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if h == nil {
		return nil, errors.New("engineio: there is no Handler")
	}
	s := &Server{opts: opts, handler: h, began: opts.Now(), quit: make(chan struct{}), pollAmidProbe: probedPollTime}
	s.registry.sessions = map[string]*Session{}
	s.times = newTimetable(s.elapsed)
	s.pings = s.times.list(opts.PingInterval, s.pingDue)
	s.pongs = s.times.list(opts.PingTimeout, s.pongOverdue)
	s.silences = s.times.list(opts.PingInterval+opts.PingTimeout, s.silenceOver)
	s.upgrades = s.times.list(opts.UpgradeTimeout, s.upgradeOverdue)
	s.closings = s.times.list(opts.CloseTimeout, s.closeOverdue)
	s.crew.Run(func() { s.times.run(s.quit) })
	return s, nil
}

// Len is the number of sessions.
func (s *Server) Len() int { return s.registry.size() }

// ServeHTTP serves one request. For a WebSocket it returns once that is open.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.opts.CORS.allow(w.Header(), r.Header.Get("Origin"))
	if r.Method == http.MethodOptions && s.opts.CORS.enabled() {
		s.opts.CORS.preflight(w, r)
		return
	}
	q, refusal := s.verify(r)
	switch {
	case refusal != nil:
		s.refuse(w, refusal)
	case q.upgrade:
		s.acceptWebSocket(w, r, q)
	case q.session != nil:
		s.servePolling(w, r, q.session)
	default:
		s.openPolling(w, r, q)
	}
}

// Drain lets nobody in any more; the sessions there are go on.
func (s *Server) Drain() { s.registry.close() }

// Shutdown lets nobody in any more, closes every session in order and waits
// until all goroutines of the server have ended. When ctx ends before that, what
// is left is aborted, and its error returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.registry.close()
	for _, session := range s.registry.all() {
		session.close(ServerShutdown)
	}
	// Heartbeats and close timeouts go on until the last session has ended.
	err := s.registry.wait(ctx)
	s.abortAll()
	s.stop.Do(func() { close(s.quit) })
	if err != nil {
		return err
	}
	return s.crew.Wait(ctx)
}

// Close aborts every session and waits until all goroutines of the server have
// ended, which takes as long as the Handler does.
func (s *Server) Close() error {
	s.registry.close()
	s.abortAll()
	s.stop.Do(func() { close(s.quit) })
	return s.crew.Wait(context.Background())
}

func (s *Server) abortAll() {
	for _, session := range s.registry.all() {
		session.Abort(ServerShutdown)
	}
}

func (s *Server) panicked(in string, what any) {
	s.opts.Metrics.Panicked()
	s.opts.Logger.Error("panic", "in", in, "panic", fmt.Sprint(what), "stack", string(debug.Stack()))
}
