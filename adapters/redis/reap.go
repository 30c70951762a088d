package redis

import (
	"context"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

func (p *Presence) keepReaping(ctx context.Context) {
	ticker := time.NewTicker(p.ttl / refreshPart)
	defer ticker.Stop()
	// unsure holds sockets whose removal got no answer: it may have been done,
	// and then only this pod knows that it has to be told of.
	unsure := map[models.SocketID]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		poke(p.overdue)
		if !p.mayReap() {
			continue
		}
		for _, dead := range p.findDead(ctx) {
			n, err := p.reap(ctx, dead, unsure)
			if n > 0 {
				p.metrics.PodReaped(n)
				p.logger.Warn("presence: cleaned up after a lost pod", "pod", dead.id, "sockets", n, "last_seen", dead.seen)
			}
			if err != nil && ctx.Err() == nil {
				p.logger.Warn("presence: cleaning up after a lost pod broke off", "pod", dead.id, "error", err)
			}
		}
	}
}

type deadPod struct {
	id   string
	seen time.Time
}

// findDead returns the pods that are listed and have no lease.
func (p *Presence) findDead(ctx context.Context) []deadPod {
	ctx, cancel := p.opTimeout(ctx)
	defer cancel()
	var dead []deadPod
	// The error has been counted; the next round looks again.
	_ = p.sound(ctx, "find_dead", func() error {
		pods, err := p.client.ZRangeWithScores(ctx, podsKey, 0, -1).Result()
		if err != nil {
			return err
		}
		leases := make([]*driver.IntCmd, len(pods))
		if _, err = p.client.Pipelined(ctx, func(pipe driver.Pipeliner) error {
			for i, pod := range pods {
				id, _ := pod.Member.(string)
				leases[i] = pipe.Exists(ctx, leaseKey(id))
			}
			return nil
		}); err != nil {
			return err
		}
		for i, pod := range pods {
			if id, _ := pod.Member.(string); id != p.pod && leases[i].Val() == 0 {
				dead = append(dead, deadPod{id, p.instant(pod.Score)})
			}
		}
		return nil
	}, typed{podsKey, aZSet})
	return dead
}

// reap takes every socket of a dead pod out of its user's set. If this pod dies
// half way, the claim ends and another goes on with what the hash still holds.
func (p *Presence) reap(ctx context.Context, dead deadPod, unsure map[models.SocketID]bool) (int, error) {
	claimed, err := p.claim(ctx, dead.id)
	if err != nil || !claimed {
		return 0, err
	}
	total := 0
	for cursor := uint64(0); ; {
		// A pod that was only paused takes its lease again: leave it alone then.
		stillDead, err := p.renewClaim(ctx, dead.id)
		if err != nil || !stillDead {
			return total, err
		}
		var pairs []string
		bounded, cancel := p.opTimeout(ctx)
		err = p.sound(bounded, "reap", func() (err error) {
			pairs, cursor, err = p.client.HScan(bounded, socketsKey(dead.id), cursor, "", batchSize).Result()
			return err
		}, typed{socketsKey(dead.id), aHash})
		cancel()
		if err != nil {
			return total, err
		}
		n, err := p.reapBatch(ctx, dead, pairs, unsure)
		total += n
		if err != nil {
			return total, err
		}
		if cursor == 0 {
			return total, p.bury(ctx, dead.id)
		}
	}
}

func (p *Presence) claim(ctx context.Context, pod string) (claimed bool, err error) {
	ctx, cancel := p.opTimeout(ctx)
	defer cancel()
	err = p.ask("claim", func() error {
		err := p.client.SetArgs(ctx, claimKey(pod), p.pod, driver.SetArgs{Mode: "NX", TTL: p.ttl / claimPart}).Err()
		if err != nil {
			return err // driver.Nil: somebody else is at it
		}
		claimed = true
		return p.client.Set(ctx, reapedKey(pod), p.pod, reapedFor).Err()
	})
	return claimed, err
}

func (p *Presence) renewClaim(ctx context.Context, pod string) (stillDead bool, err error) {
	ctx, cancel := p.opTimeout(ctx)
	defer cancel()
	err = p.ask("claim", func() error {
		pipe := p.client.Pipeline()
		lease := pipe.Exists(ctx, leaseKey(pod))
		pipe.Set(ctx, claimKey(pod), p.pod, p.ttl/claimPart)
		_, err := pipe.Exec(ctx)
		stillDead = err == nil && lease.Val() == 0
		return err
	})
	return stillDead, err
}

// reapBatch tells of each socket right after it is out, so that a reaper that
// dies leaves at most as many half done as it has workers.
func (p *Presence) reapBatch(ctx context.Context, dead deadPod, pairs []string, unsure map[models.SocketID]bool) (int, error) {
	entries := make([]*entry, len(pairs)/2)
	known := make([]bool, len(entries)) // the map is not for several goroutines
	for i := range entries {
		user, _ := p.userOf(pairs[2*i+1])
		entries[i] = &entry{socket: models.SocketID(pairs[2*i]), user: user}
		known[i] = unsure[entries[i].socket]
	}
	verdicts := make([]verdict, len(entries))
	failures := make([]error, len(entries))
	running := ctx
	p.tell(ctx, len(entries), func(ctx context.Context, i int) {
		if failures[i] = running.Err(); failures[i] != nil {
			return // this pod stops; another goes on
		}
		if entries[i].user == "" {
			return // nobody's: there is no set it could be in
		}
		var left int
		verdicts[i], left, failures[i] = p.take(ctx, entries[i], known[i])
		if verdicts[i] == tellIt && p.callbacks.OnReaped != nil {
			d := entries[i].departure(dead.seen, ReasonPodLost)
			d.Pod = dead.id
			p.callbacks.OnReaped(ctx, d, left)
		}
	})
	told := 0
	var firstErr error
	var done []*entry
	for i, e := range entries {
		delete(unsure, e.socket)
		switch {
		case failures[i] != nil:
			firstErr = failures[i]
			if len(unsure) < maxLeaving {
				unsure[e.socket] = true
			}
			continue
		case verdicts[i] == leaveToIt:
			continue
		case verdicts[i] == tellIt:
			told++
		}
		done = append(done, e)
	}
	if err := p.tidy(ctx, dead.id, done); err != nil {
		return told, err
	}
	return told, firstErr
}

// bury takes the pod off the list. One that wakes up right now is back on it
// with its next refresh.
func (p *Presence) bury(ctx context.Context, pod string) error {
	ctx, cancel := p.opTimeout(ctx)
	defer cancel()
	return p.ask("bury", func() error {
		pipe := p.client.Pipeline()
		left := pipe.HLen(ctx, socketsKey(pod))
		lease := pipe.Exists(ctx, leaseKey(pod))
		if _, err := pipe.Exec(ctx); err != nil || left.Val() > 0 || lease.Val() > 0 {
			return err
		}
		return p.client.ZRem(ctx, podsKey, pod).Err()
	})
}
