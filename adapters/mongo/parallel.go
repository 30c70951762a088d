package mongo

import (
	"context"
	"sync"
)

// sideBySide calls f with each item, a few at the same time, and stops at the
// first error.
func sideBySide[T any](ctx context.Context, items []T, f func(context.Context, T) error) error {
	if len(items) == 1 {
		return f(ctx, items[0])
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	next := make(chan T)
	for range min(parallelReads, len(items)) {
		wg.Go(func() {
			for item := range next {
				if err := f(ctx, item); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
hand:
	for _, item := range items {
		select {
		case next <- item:
		case <-ctx.Done():
			break hand
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}
