package rooms

import (
	"context"
	"time"
)

const (
	// gatherRest is how long what comes while others were just told waits for
	// company: nobody misses it, and many are looked up in one go.
	gatherRest = 100 * time.Millisecond
	gatherMost = 1024
)

// gather hands on what comes, in its order: what is alone at once, and what comes
// close behind together. It returns when ctx ends.
func gather[T any](ctx context.Context, from <-chan T, do func(context.Context, []T)) {
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-rest.C:
		}
		var batch []T
		select {
		case <-ctx.Done():
			return
		case one := <-from:
			batch = fill(append(batch, one), from)
		}
		do(ctx, batch)
		if len(batch) < gatherMost {
			rest.Reset(gatherRest)
		} else {
			rest.Reset(0)
		}
	}
}

// fill adds what is there already.
func fill[T any](batch []T, from <-chan T) []T {
	for len(batch) < gatherMost {
		select {
		case next := <-from:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}
