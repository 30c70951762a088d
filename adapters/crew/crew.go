// Package crew owns goroutines: it starts them, and waits for the last to end. It
// refuses to know what they do, and to stop them.
package crew

import (
	"context"
	"sync"
)

// Crew is the goroutines of one owner. A WaitGroup does not do: goroutines are
// still started while somebody waits, because connections end then. The zero
// value is ready.
type Crew struct {
	mu    sync.Mutex
	size  int
	empty chan struct{} // closed with the last, where somebody waits
}

// Run calls fn on a goroutine of its own.
func (c *Crew) Run(fn func()) {
	c.mu.Lock()
	c.size++
	c.mu.Unlock()
	go func() {
		defer c.leave()
		fn()
	}()
}

func (c *Crew) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size--
	if c.size == 0 && c.empty != nil {
		close(c.empty)
		c.empty = nil
	}
}

// Wait returns once the last has ended, or ctx has.
func (c *Crew) Wait(ctx context.Context) error {
	c.mu.Lock()
	if c.size == 0 {
		c.mu.Unlock()
		return nil
	}
	if c.empty == nil {
		c.empty = make(chan struct{})
	}
	empty := c.empty
	c.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
