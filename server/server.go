// Package server puts Parley together: configuration, every connection to the
// outside, every route, and the order in which things start and stop.
//
// It is the only package that sees all the others. It refuses to do anything
// itself: what a message is, who may send it and where it goes is elsewhere.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"parley/adapters/hub"
	"parley/adapters/listen"
	"parley/adapters/token"
	"parley/middleware"
	"parley/models"
	"parley/rooms"
)

// Server is one pod.
type Server struct {
	cfg     Config
	log     *slog.Logger
	metrics *middleware.Metrics
	tokens  *token.Verifier
	// tokenKeys are published by somebody else; nil where they are configured.
	tokenKeys *token.KeySet
	sockets   *hub.Server
	rooms     *rooms.Service
	files     http.Handler // nil where files are kept elsewhere
	store     store

	pingRedis                    func(ctx context.Context) error
	settlePresence               func(ctx context.Context)
	embeddedMongo, embeddedRedis bool

	handler http.Handler
	// cutBodies gives up on what clients are still sending.
	cutBodies func()
	leaving   atomic.Bool // readiness is red
	draining  atomic.Bool // and new work is refused
	started   atomic.Bool // indexes are ensured and the other pods are heard

	// background are the tasks that run until shutdown; closers undo New, last
	// opened first.
	background []task
	closers    []closer
}

type task struct {
	name string
	run  func(ctx context.Context) error
}

type closer struct {
	name  string
	close func(ctx context.Context) error
}

// store is what server itself asks of the database.
type store interface {
	Ping(ctx context.Context) error
	EnsureIndexes(ctx context.Context) error
	Installed(ctx context.Context) (time.Time, error)
}

// onClose registers what undoes a step of New.
func (s *Server) onClose(name string, f func(ctx context.Context) error) {
	s.closers = append(s.closers, closer{name, f})
}

// Run listens and serves until ctx ends, then shuts down: readiness goes red,
// what was taken is finished, clients are sent off, everything is closed.
func (s *Server) Run(ctx context.Context) error {
	listener, err := s.listen(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("cannot listen: %w", err), s.close())
	}
	httpServer := &http.Server{
		Handler: s.handler,
		// No WriteTimeout: it would cut long polls. Bodies have deadlines of
		// their own.
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       2 * time.Minute, // longer than balancers keep theirs
		ConnContext:       listen.Context,
		MaxHeaderBytes:    64 << 10,
		// "OPTIONS *" would be answered past all middleware.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	url := baseURL(listener.Addr())
	tasks := s.startTasks(url)
	failed := make(chan error, 1)
	go func() { failed <- httpServer.Serve(listener) }()
	s.log.Info("listening", "url", url, "pod", s.cfg.PodID)

	select {
	case <-ctx.Done():
		err = nil
	case err = <-failed:
		s.log.Error("the HTTP server stopped", "error", err)
	}
	return errors.Join(err, s.shutdown(httpServer, tasks))
}

// headerTimeout is what the headers of a request may take from their first byte on.
const headerTimeout = 10 * time.Second

func (s *Server) listen(ctx context.Context) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.cfg.Address())
	if err != nil {
		return nil, err
	}
	tcp, ok := listener.(*net.TCPListener)
	if !ok {
		return nil, errors.Join(errors.New("not a TCP listener"), listener.Close())
	}
	return listen.Wrap(tcp, listen.Options{Headers: headerTimeout, Turn: s.sockets.Turn, Logger: s.log, Metrics: s.metrics, Now: time.Now}), nil
}

// baseURL is where a client on this machine reaches the address.
func baseURL(addr net.Addr) string {
	host, port, _ := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// checks are what readiness asks.
func (s *Server) checks() map[string]func(context.Context) error {
	checks := map[string]func(context.Context) error{
		"mongodb": s.store.Ping,
		"redis":   s.pingRedis,
		"pods":    func(context.Context) error { return s.sockets.Ready() },
		"startup": func(context.Context) error {
			if !s.started.Load() {
				return errors.New("still starting")
			}
			return nil
		},
		"running": func(context.Context) error {
			if s.leaving.Load() {
				return models.Refuse(models.CodeShuttingDown, "shutting down")
			}
			return nil
		},
	}
	if s.tokenKeys != nil {
		checks["token_keys"] = s.tokenKeys.Ready
	}
	return checks
}
