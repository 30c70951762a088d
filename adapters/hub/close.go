package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Drain takes no new sockets from now on and sends the connections off in
// batches, each once it has taken what is queued, so that stock clients, which
// reconnect by themselves, spread over the pods that stay. Where so many of them
// would take more than half of the time there is, the batches are larger. It
// returns when all were told, or ctx has ended.
func (s *Server) Drain(ctx context.Context, batch int, pause time.Duration) {
	s.noMore()
	sessions := s.io.Sessions()
	if end, ok := ctx.Deadline(); ok && pause > 0 {
		batches := max(1, int(time.Until(end)/2/pause))
		batch = max(batch, (len(sessions)+batches-1)/batches)
	}
	for some := range slices.Chunk(sessions, max(batch, 1)) {
		for _, session := range some {
			session.CloseFor(cutShuttingDown)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// noMore lets nobody in any more. A client that finds no way in tries again later
// each time; one whose connection opens and is then closed begins to count anew.
func (s *Server) noMore() {
	s.draining.Store(true)
	s.io.Drain()
}

// Close ends everything: connections, handlers, departures and the bus. It
// returns an error where ctx ends before that is done.
func (s *Server) Close(ctx context.Context) error {
	s.noMore()
	s.closing.Store(true)
	err := s.io.Close(ctx)
	s.stopOnce.Do(func() { close(s.stop) })
	s.end()
	if werr := s.crew.Wait(ctx); werr != nil {
		err = errors.Join(err, fmt.Errorf("close: handlers still run: %w", werr))
	}
	// The bus goes last: departures are told to the other pods.
	if s.started.Load() {
		if busErr := s.opts.Bus.Close(ctx); busErr != nil {
			err = errors.Join(err, fmt.Errorf("close the bus: %w", busErr))
		}
	}
	return err
}
