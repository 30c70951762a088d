package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	sio "github.com/zishang520/socket.io/servers/socket/v3"
)

// Drain takes no new sockets from now on and ends the connections in batches,
// so that stock clients, which reconnect by themselves, spread over the pods
// that stay. It returns when all were told, or ctx has ended.
func (s *Server) Drain(ctx context.Context, batch int, pause time.Duration) {
	s.draining.Store(true)
	batch = max(batch, 1)
	// One pass is enough: whoever comes later finds no way in.
	for some := range slices.Chunk(s.allLinks(), batch) {
		settle(ctx, some, min(pause, 100*time.Millisecond))
		for _, l := range some {
			l.cut(cutShuttingDown)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// settle gives connections a moment to take what was sent to them.
func settle(ctx context.Context, links []*link, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for slices.ContainsFunc(links, func(l *link) bool { return !l.drained() }) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Close ends everything: connections, handlers, departures and the bus. It
// returns an error where ctx ends before that is done.
func (s *Server) Close(ctx context.Context) error {
	s.draining.Store(true)
	s.closing.Store(true)
	s.nsp.Sockets().Range(func(_ sio.SocketId, socket *sio.Socket) bool {
		reason := cutShuttingDown
		if l := s.linkOf(socket.Conn()); l != nil {
			l.reason.CompareAndSwap(nil, &reason)
		}
		return true
	})
	s.io.Close(nil)
	s.stopOnce.Do(func() { close(s.stop) })
	s.end()
	err := s.settleAll(ctx)
	// The bus goes last: departures are told to the other pods.
	if s.started.Load() {
		if busErr := s.opts.Bus.Close(ctx); busErr != nil {
			err = errors.Join(err, fmt.Errorf("close the bus: %w", busErr))
		}
	}
	return err
}

// settleAll waits until no socket, connection or goroutine is left. Sockets
// leave on goroutines of the library, so it looks again until none is there.
func (s *Server) settleAll(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := s.crew.wait(ctx); err != nil {
			return fmt.Errorf("close: handlers still run: %w", err)
		}
		links := s.allLinks()
		if len(links) == 0 && s.index.size() == 0 {
			return s.crew.wait(ctx)
		}
		for _, l := range links {
			l.end()
		}
		s.sweepMembers(s.opts.Now(), 0)
		select {
		case <-ctx.Done():
			return fmt.Errorf("close: %d sockets are left: %w", s.index.size(), ctx.Err())
		case <-tick.C:
		}
	}
}
