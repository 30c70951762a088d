package engineio

import (
	"context"
	"sync"
)

// crew owns the goroutines of a Server. A WaitGroup does not do: goroutines are
// started while somebody waits for the last to end.
type crew struct {
	mu    sync.Mutex
	size  int
	empty chan struct{} // closed with the last, where somebody waits
}

func (c *crew) run(fn func()) {
	c.mu.Lock()
	c.size++
	c.mu.Unlock()
	go func() {
		defer c.leave()
		fn()
	}()
}

func (c *crew) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size--
	if c.size == 0 && c.empty != nil {
		close(c.empty)
		c.empty = nil
	}
}

// wait waits for the last to end.
func (c *crew) wait(ctx context.Context) error {
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
