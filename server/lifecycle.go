package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"parley/models"
)

// startRetry is how long a step of starting that failed waits for its next try.
const startRetry = time.Second

// tasks are the goroutines of Run and the way to end them.
type tasks struct {
	cancel context.CancelFunc
	group  sync.WaitGroup
}

// startTasks runs what runs until shutdown. A dependency that is away when the
// pod starts is waited for, with readiness red, rather than crashed upon.
func (s *Server) startTasks(url string) *tasks {
	ctx, cancel := context.WithCancel(context.Background())
	t := &tasks{cancel: cancel}
	for _, task := range s.background {
		t.group.Go(func() {
			if err := task.run(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("a background task ended", "task", task.name, "error", err)
			}
		})
	}
	t.group.Go(func() {
		s.prepare(ctx)
		if err := s.announce(ctx, url); err != nil && ctx.Err() == nil {
			s.log.Warn("the demo could not be prepared", "error", err)
		}
	})
	return t
}

// end ends them, and leaves time for what is closed after them: one that asks a
// silent Redis hears of it only once its connection is closed.
func (t *tasks) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leavingTime(ctx))
	defer cancel()
	t.cancel()
	ended := make(chan struct{})
	go func() { t.group.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// prepare does what has to be done before traffic, each step tried until it is
// done: either database may come back first.
func (s *Server) prepare(ctx context.Context) {
	var steps sync.WaitGroup
	for _, step := range []task{
		{"ensure indexes", s.store.EnsureIndexes},
		{"note the installation", func(ctx context.Context) error { _, err := s.store.Installed(ctx); return err }},
		{"join the other pods", s.sockets.Start},
	} {
		steps.Go(func() { s.persist(ctx, step) })
	}
	steps.Wait()
	if ctx.Err() == nil {
		s.started.Store(true)
		s.log.Info("ready")
	}
}

func (s *Server) persist(ctx context.Context, step task) {
	for tries := 0; ; tries++ {
		err := step.run(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		if tries%10 == 0 {
			s.log.Warn("starting is held up", "step", step.name, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(startRetry):
		}
	}
}

// shutdown ends the pod within SHUTDOWN_TIMEOUT, in the order in which the
// world should notice: load balancers first, clients next, databases last.
func (s *Server) shutdown(httpServer *http.Server, t *tasks) error {
	// A twentieth is in hand: who waits until the time is over is done a moment later.
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownTimeout*19/20)
	defer cancel()
	s.log.Info("shutting down", "sockets", s.sockets.Sockets(), "timeout", s.cfg.ShutdownTimeout)
	s.leaving.Store(true)
	if s.cfg.ReadyDelay > 0 { // work still comes, and is done, until balancers know
		select {
		case <-time.After(min(s.cfg.ReadyDelay, s.cfg.ShutdownTimeout/2)):
		case <-ctx.Done():
		}
	}
	s.draining.Store(true)
	// Sockets first, while the listener is open: a long poll that is answered
	// comes back once to say so. The way to the other pods stays open until the
	// last request is answered: what it stored is theirs to hear.
	s.sockets.Drain(ctx, s.cfg.DrainBatch, s.cfg.DrainPause)
	requests, stop := context.WithTimeout(ctx, time.Until(deadline(ctx))*3/4)
	defer stop()
	// A client may take its time to send a request, and this pod has none left.
	cut := time.AfterFunc(time.Until(deadline(ctx))/2, s.cutBodies)
	defer cut.Stop()
	herr := httpServer.Shutdown(requests)
	var err error
	if herr != nil {
		err = errors.Join(fmt.Errorf("finishing requests: %w", herr), httpServer.Close())
	}
	// A database that is away may take the larger part of that, and no more.
	hurry := time.AfterFunc(leavingTime(ctx)*3/4, s.rooms.Hurry)
	defer hurry.Stop()
	s.settlePresence(ctx)
	if ferr := s.farewell(ctx); ferr != nil {
		err = errors.Join(err, fmt.Errorf("taking leave of the other pods: %w", ferr))
	}
	if serr := s.closeSockets(ctx); serr != nil {
		err = errors.Join(err, fmt.Errorf("closing the sockets: %w", serr))
	}
	t.end(ctx)
	return errors.Join(err, s.closeWithin(ctx))
}

// farewell leaves time, too, and does not wait long for a Redis that is silent: who
// goes without a word is found out.
func (s *Server) farewell(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, min(time.Second, time.Until(deadline(ctx))/4))
	defer cancel()
	return s.unlessAway("the mark", s.rooms.Farewell(ctx))
}

// closeSockets leaves time for what is closed after them: a database that is away
// would take it all.
func (s *Server) closeSockets(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leavingTime(ctx))
	defer cancel()
	return s.unlessAway("the sockets", s.sockets.Close(ctx))
}

// leavingTime is how much of what is left a step may take before the databases are
// closed: that, and one more such step, have their time yet.
func leavingTime(ctx context.Context) time.Duration {
	rest := time.Until(deadline(ctx))
	return max(rest/2, rest-2*closeMinimum)
}

// unlessAway is the error, but where it says no more than that a database is not
// reachable: what could not be told or taken back, the other pods find out for
// themselves, and it is no failure of this one.
func (s *Server) unlessAway(what string, err error) error {
	if err == nil || !away(err) {
		return err
	}
	s.log.Warn("closed without a database that is away", "what", what, "error", err)
	return nil
}

func away(err error) bool {
	if all, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // errors.Join, one by one
		return !slices.ContainsFunc(all.Unwrap(), func(err error) bool { return !away(err) })
	}
	return models.CodeOf(err) == models.CodeUnavailable
}

// closeMinimum is what closing may always take, however late the rest was.
const closeMinimum = 2 * time.Second

func (s *Server) close() error { return s.closeWithin(context.Background()) }

func (s *Server) closeWithin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(closeMinimum, time.Until(deadline(ctx))))
	defer cancel()
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		c := s.closers[i]
		if err := s.unlessAway(c.name, c.close(ctx)); err != nil {
			errs = append(errs, fmt.Errorf("closing %s: %w", c.name, err))
		}
	}
	s.closers = nil
	return errors.Join(errs...)
}

// deadline is when ctx ends; of one that never does, now.
func deadline(ctx context.Context) time.Time {
	if at, ok := ctx.Deadline(); ok {
		return at
	}
	return time.Now()
}
