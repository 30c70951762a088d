package hub

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"parley/adapters/engineio"
	"parley/adapters/socketio"
	"parley/models"
)

// A stock client never comes back from a connect_error by itself; from a closed
// connection it does, and begins at once with its shortest wait. So what is our
// fault is waited out here, for as long as a handshake may take, and it is how
// long we hold them that keeps clients from storming us.
const (
	firstRetry     = 100 * time.Millisecond
	lastRetry      = 2 * time.Second
	complaintEvery = 10 * time.Second
)

// admit is the middleware each CONNECT passes.
func (s *Server) admit(ctx context.Context, socket *socketio.Socket) error {
	if s.draining.Load() || s.closing.Load() {
		return turnOut(socket, cutShuttingDown)
	}
	m := &member{
		server: s, socket: socket, session: socket.Session(), id: socket.ID(),
		gate: &gate{},
	}
	m.face.m = m
	socket.SetData(m)
	s.index.add(m, s.opts.Now())
	s.wait(1)
	defer s.wait(-1)
	let := false
	defer func() {
		if !let { // whatever became of it
			s.index.remove(m)
		}
	}()
	err := s.persist(ctx, m)
	if err == nil {
		let = true
		return nil
	}
	reason := cutUnavailable
	switch {
	case ctx.Err() != nil: // gone, and needs no reason from us
		reason = ""
	case errors.Is(err, errOutlived):
		reason = cutTokenExpired
	case models.CodeOf(err) == models.CodeShuttingDown:
		reason = cutShuttingDown
	case !ours(err):
		return s.refused(err)
	}
	s.depart(m, engineio.Reason(reason)) // one that was let in and cannot be welcomed
	return turnOut(socket, reason)
}

func (s *Server) wait(change int) {
	s.waiting.Add(int64(change))
	s.opts.Metrics.Waiting(change)
}

// turnOut closes the connection of a socket that is not let in, without a word
// that its client would take for the last: nobody is there to hear the refusal.
func turnOut(socket *socketio.Socket, reason string) error {
	if reason != "" {
		socket.Session().Abort(engineio.Reason(reason))
	}
	return &socketio.Refusal{Message: "the connection is closed"}
}

var (
	// errCondemned: the socket was let in, and has to go all the same.
	errCondemned = errors.New("it cannot be told what it missed")
	errOutlived  = errors.New("the token has expired at the door")
	// errCatchingUp: what was missed of the other pods is still being told.
	errCatchingUp = errors.New("what they said is being caught up with")
)

// ours says whether it is no fault of the client's, so that the same CONNECT may
// well succeed a little later.
func ours(err error) bool {
	switch models.CodeOf(err) { //nolint:exhaustive // all others are the client's
	case models.CodeUnavailable, models.CodeInternal, models.CodeInProgress, models.CodeRateLimited:
		return true
	}
	return false
}

// persist tries to let the socket in until it is, or is refused, or its time is
// up. A try that fails leaves the socket as it came.
func (s *Server) persist(gone context.Context, m *member) error {
	came := s.opts.Now()
	ctx, cancel := context.WithTimeout(gone, s.opts.ConnectTimeout)
	defer cancel()
	d := &Door{m: m}
	pause := firstRetry
	for {
		err := s.try(ctx, d)
		if err == nil || !ours(err) || errors.Is(err, errCondemned) {
			return err
		}
		s.index.stepBack(m)
		if outlived(d.who, s.opts.Now()) {
			// As for one that is inside: its client comes back, with a new token.
			return &models.Error{Code: models.CodeTokenExpired, Message: "the token has expired", Err: errOutlived}
		}
		if gone.Err() != nil {
			return err
		}
		s.opts.Metrics.NotLetIn(reasonFor(err))
		s.complaints.Do(func() {
			s.opts.Logger.Warn("a socket could not be let in; it waits", "err", err, "for", s.opts.Now().Sub(came), "waiting", s.Waiting())
		})
		wait := time.NewTimer(pause/2 + rand.N(pause/2)) //nolint:gosec // nothing to guess
		select {
		case <-ctx.Done():
			wait.Stop()
			return err
		case <-wait.C:
		}
		pause = min(2*pause, lastRetry)
	}
}

func outlived(who models.Identity, now time.Time) bool {
	return !who.ExpiresAt.IsZero() && !who.ExpiresAt.After(now)
}

// try lets the socket in or says why not.
func (s *Server) try(ctx context.Context, d *Door) error {
	if err := s.standing(ctx); err != nil {
		return err
	}
	if !d.known && s.onAuthenticate != nil {
		var err error = models.Internal(errors.New("panic in OnAuthenticate"))
		s.guard("OnAuthenticate", func() { d.who, err = s.onAuthenticate(ctx, d) })
		if err != nil {
			return named(err)
		}
		d.known = true
	}
	if !d.who.ExpiresAt.IsZero() {
		// It may end while it waits.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.who.ExpiresAt.Sub(s.opts.Now()))
		defer cancel()
	}
	if !d.caught {
		d.caught = s.catchUp(ctx)
	}
	if err := s.places.take(ctx, false); err != nil {
		return models.Unavailable("the server", err)
	}
	defer s.places.give()
	if err := s.beginning.step(ctx); err != nil {
		return models.Unavailable("the server", err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.HandshakeTimeout)
	defer cancel()
	var welcome Welcome
	d.later = nil
	var err error = models.Internal(errors.New("panic in OnConnect"))
	s.guard("OnConnect", func() { welcome, err = s.onConnect(ctx, d) })
	if err != nil {
		return named(err)
	}
	welcome.later = d.later
	if !s.letIn(d.m, welcome) {
		return models.Internal(errCondemned)
	}
	if !s.Sure() {
		// It may have been told to leave a room of its backlog, and comes back.
		return models.Unavailable("the other pods", errCondemned)
	}
	return nil
}

// named gives an error that is only about time its name.
func named(err error) error {
	var told *models.Error
	if !errors.As(err, &told) && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		return models.Unavailable("the server", err)
	}
	return err
}

// reasonFor is what failed, for the metric: the code, or what was not reachable.
func reasonFor(err error) string {
	e := models.AsError(err)
	if e.What == "" {
		return string(e.Code)
	}
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(e.What, "the ")), " ", "_")
}

// Aside is for what the socket only waits for: another is let in meanwhile. It
// goes on before those who have not begun.
func (d *Door) Aside(ctx context.Context, wait func() error) (err error) {
	d.m.server.places.give()
	defer func() { // after a panic, too: its place is given back by who catches that
		// One that has given up is not refused a place to clear up in.
		if taken := d.m.server.places.take(ctx, true); taken != nil {
			d.m.server.places.force()
			if err == nil {
				err = models.Unavailable("the server", taken)
			}
		}
	}()
	return wait()
}

// standing waits until the other pods are heard for the first time, and says
// whether they still are, and what they said meanwhile is told again. What they
// send to a socket's rooms while it is let in would be lost otherwise, or be
// told again to one whose client had it on another connection.
func (s *Server) standing(ctx context.Context) error {
	select {
	case <-s.heard:
	case <-ctx.Done():
		return models.Unavailable("the other pods", ctx.Err())
	}
	if err := s.opts.Bus.Ready(); err != nil {
		return models.Unavailable("the other pods", err)
	}
	if s.resumption.busy() {
		return models.Unavailable("the other pods", errCatchingUp)
	}
	return nil
}
