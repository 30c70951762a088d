package cluster

import (
	"context"
	"math/rand/v2"
	"time"
)

// Between two attempts at an unreachable Redis. The ceiling is low because the
// other pods' messages are lost for as long as we do not listen.
const (
	backoffFloor   = 50 * time.Millisecond
	backoffCeiling = time.Second
)

// backoff doubles from floor to ceiling, with a quarter of jitter so that pods
// do not come back all at once.
type backoff struct{ next time.Duration }

func (b *backoff) reset() { b.next = 0 }

func (b *backoff) step() time.Duration {
	b.next = min(max(backoffFloor, b.next*2), backoffCeiling)
	return b.next - rand.N(b.next/4)
}

// pause waits for d, less where kick comes or ctx ends; it returns ctx.Err().
func pause(ctx context.Context, d time.Duration, kick <-chan struct{}) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-kick:
	case <-ctx.Done():
	}
	return ctx.Err()
}
