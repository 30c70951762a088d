package hub

import (
	"context"
	"sync"
	"time"
)

// A pod is behind by milliseconds; one that is further behind has other worries.
const catchUpPatience = 500 * time.Millisecond

// catchingUp waits for the other pods on behalf of all who come at once: who
// comes while that is under way shares the next time, which begins no sooner
// than they came.
type catchingUp struct {
	mu      sync.Mutex
	running bool
	next    *caughtUp
}

type caughtUp struct {
	done chan struct{}
	ok   bool // before done is closed
}

// catchUp waits until what the other pods published before the socket came has
// been dealt with, or for catchUpPatience: a page that moves here from another
// pod had that already, and it would be sent again if it came late.
func (s *Server) catchUp(ctx context.Context) (caught bool) {
	c := &s.catching
	c.mu.Lock()
	if c.next == nil {
		c.next = &caughtUp{done: make(chan struct{})}
	}
	mine := c.next
	if !c.running {
		c.running = true
		s.crew.Run(func() {
			for next := c.take(); next != nil; next = c.take() {
				next.ok = s.busCatchesUp()
				close(next.done)
			}
		})
	}
	c.mu.Unlock()
	select {
	case <-mine.done:
		return mine.ok
	case <-ctx.Done():
		return false
	}
}

func (c *catchingUp) take() *caughtUp {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := c.next
	c.next, c.running = nil, next != nil
	return next
}

func (s *Server) busCatchesUp() bool {
	ctx, cancel := context.WithTimeout(s.life, catchUpPatience)
	defer cancel()
	return s.opts.Bus.CatchUp(ctx) == nil
}
