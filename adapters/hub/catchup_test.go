package hub

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// lagging is a bus that is behind until it is let go.
type lagging struct {
	fakeBus
	asked  atomic.Int32
	caught chan struct{}
}

func (b *lagging) CatchUp(ctx context.Context) error {
	b.asked.Add(1)
	select {
	case <-b.caught:
		time.Sleep(10 * time.Millisecond) // as far away as a Redis may be
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Who comes while others are caught up with waits for what had been published by
// the time they came, and a crowd for the same.
func TestACrowdCatchesUpOnce(t *testing.T) {
	t.Parallel()
	bus := &lagging{caught: make(chan struct{})}
	s := &Server{opts: Options{Bus: bus}}
	s.life, s.end = context.WithCancel(t.Context())
	var all sync.WaitGroup
	come := func() {
		all.Go(func() {
			if !s.catchUp(t.Context()) {
				t.Error("not caught up with")
			}
		})
	}
	come()
	eventually(t, "the bus to be asked", func() bool { return bus.asked.Load() == 1 })
	for range 100 {
		come()
	}
	waiting := func() bool {
		s.catching.mu.Lock()
		defer s.catching.mu.Unlock()
		return s.catching.next != nil
	}
	eventually(t, "somebody to wait", waiting)
	close(bus.caught)
	all.Wait()
	if n := bus.asked.Load(); n < 2 || n > 50 {
		t.Errorf("the bus was asked %d times for 101", n)
	}

	// One that is too far behind holds nobody up.
	bus.caught = make(chan struct{})
	began := time.Now()
	if s.catchUp(t.Context()) || time.Since(began) > 20*catchUpPatience {
		t.Errorf("caught up with one that is behind, in %v", time.Since(began))
	}
}
