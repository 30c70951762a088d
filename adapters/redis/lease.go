package redis

import (
	"context"
	"errors"
	"sync"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

// Run keeps the pod's lease, repairs what Redis lost, and cleans up after pods
// that died, until the context ends or Close is called. It runs once.
func (p *Presence) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p.mu.Lock()
	if p.done != nil {
		p.mu.Unlock()
		return models.Internal(errors.New("presence runs once"))
	}
	done := make(chan struct{})
	p.cancel, p.done = cancel, done
	if p.closed {
		cancel()
	}
	p.mu.Unlock()
	defer close(done)

	// Five, because none may wait for another: a slow callback must not cost
	// the lease, nor the work on one dead pod the repair of this one.
	var wg sync.WaitGroup
	wg.Go(func() { p.keepLease(ctx) })
	wg.Go(func() { p.keepUp(ctx) })
	wg.Go(func() { p.keepReaping(ctx) })
	wg.Go(func() { p.keepTelling(ctx) })
	wg.Go(func() { p.keepWhole(ctx) })
	wg.Wait()
	return nil
}

func (p *Presence) keepLease(ctx context.Context) {
	ticker := time.NewTicker(p.ttl / refreshPart)
	defer ticker.Stop()
	// first: nothing is known; broken: the last refresh failed or found no lease.
	first, broken := true, false
	for rounds := 1; ctx.Err() == nil; rounds++ {
		held, err := false, error(nil)
		if first {
			err = p.lookBack(ctx)
		}
		if err == nil {
			held, err = p.refresh(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		switch {
		case err != nil:
			if !broken {
				p.logger.Warn("presence: Redis is away", "error", err)
			}
			p.setHealthy(false)
			broken = true
		case !held && !first:
			p.logger.Warn("presence: the lease of this pod was gone; putting its sockets back", "pod", p.pod)
			p.setHealthy(false)
			p.setHealthy(true)
			p.resync.Store(true)
			// A reaper at work may take out a little more; the next round looks again.
			broken = true
		default:
			if broken {
				p.logger.Info("presence: Redis is back")
			}
			if broken || first || rounds%auditEvery == 0 {
				p.resync.Store(true)
			}
			p.setHealthy(true)
			broken = false
		}
		if err == nil {
			first = false
			poke(p.work)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-p.kicks:
			if err != nil { // no faster than the ticker while Redis is away
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
				}
			}
		}
	}
}

// lookBack reads when this pod id was last heard of, before it is heard of anew.
func (p *Presence) lookBack(ctx context.Context) error {
	ctx, cancel := p.opTimeout(ctx)
	defer cancel()
	return p.sound(ctx, "lease", func() error {
		score, err := p.client.ZScore(ctx, podsKey, p.pod).Result()
		if err == nil {
			p.earlier = p.instant(score)
		}
		return err
	}, typed{podsKey, aZSet})
}

// stopgap is a lease that was taken for the sake of a socket: the next refresh
// has yet to learn that there was none.
const stopgap = "stopgap"

// refresh renews the lease; held is false where it was gone and had to be
// taken anew. The lease comes before the list: who is on it has had one.
func (p *Presence) refresh(ctx context.Context) (held bool, err error) {
	ctx, cancel := p.opTimeout(ctx)
	defer cancel()
	now := p.now().UnixMilli()
	err = p.sound(ctx, "lease", func() error {
		lease := p.ttl / leasePart
		pipe := p.client.Pipeline() // nobody else writes it
		was := pipe.Get(ctx, leaseKey(p.pod))
		pipe.Set(ctx, leaseKey(p.pod), now, lease)
		whole := pipe.Exists(ctx, wholeKey)
		if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, driver.Nil) {
			return err
		}
		held = was.Err() == nil && was.Val() != stopgap
		p.foundWhole(whole.Val() > 0, held)
		return p.client.ZAdd(ctx, podsKey, driver.Z{Score: float64(now), Member: p.pod}).Err()
	}, typed{podsKey, aZSet})
	return held, err
}

// instant is when a pod was last heard of, by its place on the list. A place no
// pod gives itself says nothing: then it was as long ago as it takes to be
// taken for dead.
func (p *Presence) instant(score float64) time.Time {
	now := p.now().UTC()
	if score >= 0 && score <= float64(now.Add(models.ClockSkew).UnixMilli()) {
		return time.UnixMilli(int64(score)).UTC()
	}
	p.metrics.Dropped(oddTime)
	return now.Add(-p.ttl)
}

// setHealthy notes since when this pod has had Redis without a break.
func (p *Presence) setHealthy(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !yes:
		p.healthy = time.Time{}
	case p.healthy.IsZero():
		p.healthy = time.Now()
	}
}

// hasRedis says whether Redis answered when it was last asked to renew the lease.
func (p *Presence) hasRedis() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.healthy.IsZero()
}

// mayReap says whether a missing lease means a dead pod. Right after Redis was
// away they are all missing, and every pod needs one round to renew its own.
func (p *Presence) mayReap() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.healthy.IsZero() && time.Since(p.healthy) >= p.ttl/gracePart
}
