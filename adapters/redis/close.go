package redis

import (
	"context"
	"time"

	"parley/models"
)

// closeTries is how often Close asks a Redis that does not answer.
const closeTries = 3

// Close ends Run, takes the sockets that are still registered out of their
// sets, and gives up the lease. Departures it has to make are told to OnLate.
// What it cannot do, because Redis is away, another pod does when the lease ends.
func (p *Presence) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	cancel, done := p.cancel, p.done
	p.mu.Unlock()
	if done != nil {
		cancel()
		select {
		case <-done:
		case <-ctx.Done():
			return models.Unavailable("Redis", ctx.Err())
		}
	}
	// What was done stays done, so that a call that only was slow costs another
	// try and not another pod's work.
	var err error
	for range closeTries {
		if err = p.closeSockets(ctx); err == nil {
			if err = p.giveUp(ctx); err == nil {
				return nil
			}
		}
		if ctx.Err() != nil {
			return err
		}
	}
	return err
}

// giveUp takes this pod off the lists of those that are alive.
func (p *Presence) giveUp(ctx context.Context) error {
	return p.ask("close", func() error {
		// The lease goes last: without it a reaper would look at the rest.
		if err := p.client.Del(ctx, socketsKey(p.pod)).Err(); err != nil {
			return err
		}
		if err := p.client.ZRem(ctx, podsKey, p.pod).Err(); err != nil {
			return err
		}
		return p.client.Del(ctx, leaseKey(p.pod)).Err()
	})
}

func (p *Presence) closeSockets(ctx context.Context) error {
	all := p.sockets.list(arriving, live, leaving)
	for start := 0; start < len(all); start += batchSize {
		held := lockBatch(all[start:min(start+batchSize, len(all))], func(e *entry) bool {
			if e.is(live) && !e.owed {
				e.owed, e.at = true, p.now()
			}
			return true
		})
		if len(held) == 0 {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, 5*time.Second)
		late, err := p.retryBatch(bounded, held)
		cancel()
		unlock(held)
		if err != nil {
			return err
		}
		p.tell(ctx, len(late), func(ctx context.Context, i int) {
			if p.callbacks.OnLate != nil {
				p.callbacks.OnLate(ctx, late[i].entry.departure(late[i].entry.at, ReasonLate), late[i].left)
			}
		})
	}
	return nil
}
