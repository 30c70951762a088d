package redis

import (
	"context"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

// keepUp repairs what the lease loop finds broken, in its own time.
func (p *Presence) keepUp(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.work:
		}
		if p.resync.Swap(false) {
			if err := p.audit(ctx); err != nil {
				p.resync.Store(true) // the next refresh that works comes back to it
				continue
			}
		}
		p.retry(ctx)
	}
}

// audit makes Redis agree with this pod: every live socket is in its set and in
// the pod's hash, and nothing else is in the hash.
func (p *Presence) audit(ctx context.Context) error {
	if err := p.restore(ctx); err != nil {
		return err
	}
	if err := p.sweep(ctx); err != nil {
		return err
	}
	p.earlier = time.Time{} // strays from here on are this process's own
	return nil
}

func (p *Presence) restore(ctx context.Context) error {
	all := p.sockets.list(live)
	restored := 0
	for start := 0; start < len(all); start += batchSize {
		held := lockBatch(all[start:min(start+batchSize, len(all))], func(e *entry) bool { return e.is(live) })
		if len(held) == 0 {
			continue
		}
		bounded, cancel := p.opTimeout(ctx)
		results, err := p.putBack(bounded, held)
		cancel()
		unlock(held)
		if err != nil {
			return err
		}
		p.tell(ctx, len(held), func(ctx context.Context, i int) {
			if results[i].changed && p.callbacks.OnRestored != nil {
				p.callbacks.OnRestored(ctx, held[i].user, held[i].socket, results[i].count)
			}
		})
		for _, r := range results {
			if r.changed {
				restored++
			}
		}
	}
	if restored > 0 {
		p.logger.Info("presence: sockets put back", "sockets", restored)
	}
	return nil
}

// putBack writes those of the entries, whose locks are held, that Redis lacks;
// changed are those that have to be told of. It looks first, because nearly all
// are there, and remembers: where the answer to the writing gets lost, the next
// audit finds the socket in its set and could not know that it was not.
func (p *Presence) putBack(ctx context.Context, held []*entry) ([]counted, error) {
	in := make([]*driver.BoolCmd, len(held))
	keys := []typed{{socketsKey(p.pod), aHash}}
	fields := make([]string, len(held))
	for i, e := range held {
		keys = append(keys, typed{userKey(e.user), aSet})
		fields[i] = string(e.socket)
	}
	var noted *driver.SliceCmd
	if err := p.sound(ctx, "restore", func() error {
		_, err := p.client.Pipelined(ctx, func(pipe driver.Pipeliner) error {
			for i, e := range held {
				in[i] = pipe.SIsMember(ctx, userKey(e.user), string(e.socket))
			}
			noted = pipe.HMGet(ctx, socketsKey(p.pod), fields...)
			return nil
		})
		return err
	}, keys...); err != nil {
		return nil, err
	}
	var lacking []*entry
	var at []int
	for i, e := range held {
		e.missing = e.missing || !in[i].Val()
		if e.missing || noted.Val()[i] != any(string(e.user)) {
			lacking, at = append(lacking, e), append(at, i)
		}
	}
	results := make([]counted, len(held))
	if len(lacking) == 0 {
		return results, nil
	}
	written, err := p.write(ctx, "restore", lacking)
	if err != nil {
		return nil, err
	}
	for n, e := range lacking {
		written[n].changed = written[n].changed || e.missing
		e.missing = false
		results[at[n]] = written[n]
	}
	return results, nil
}

// sweep removes what the pod's hash holds and this process does not know: the
// sockets of an earlier process under the same id, or removals that found no room.
func (p *Presence) sweep(ctx context.Context) error {
	for cursor := uint64(0); ; {
		var pairs []string
		bounded, cancel := p.opTimeout(ctx)
		err := p.sound(bounded, "sweep", func() (err error) {
			pairs, cursor, err = p.client.HScan(bounded, socketsKey(p.pod), cursor, "", batchSize).Result()
			return err
		}, typed{socketsKey(p.pod), aHash})
		cancel()
		if err != nil {
			return err
		}
		var strays []*entry
		for i := 0; i+1 < len(pairs); i += 2 {
			if socket := models.SocketID(pairs[i]); !p.sockets.knows(socket) {
				strays = append(strays, &entry{user: models.UserID(pairs[i+1]), socket: socket})
			}
		}
		if len(strays) > 0 {
			if err := p.sweepOut(ctx, strays); err != nil {
				return err
			}
		}
		if cursor == 0 {
			return nil
		}
	}
}

func (p *Presence) sweepOut(ctx context.Context, strays []*entry) error {
	bounded, cancel := p.opTimeout(ctx)
	defer cancel()
	results, err := p.erase(bounded, "sweep", strays)
	if err != nil {
		return err
	}
	p.logger.Info("presence: sockets of an earlier process removed", "sockets", len(strays))
	p.metrics.PodReaped(len(strays))
	at := p.earlier
	if at.IsZero() {
		at = p.now()
	}
	p.tell(ctx, len(strays), func(ctx context.Context, i int) {
		if results[i].changed && p.callbacks.OnReaped != nil {
			p.callbacks.OnReaped(ctx, strays[i].departure(at, ReasonPodLost), results[i].count)
		}
	})
	return nil
}

// Settle does now what removals failed and are still to be told of. While a pod
// stops, nobody else hears of them once its way to the other pods is closed.
func (p *Presence) Settle(ctx context.Context) {
	p.retry(ctx)
	p.silence()
}

// retry does the removals that failed when they were asked for.
func (p *Presence) retry(ctx context.Context) {
	if p.sockets.leaving.Load() == 0 {
		return
	}
	all := p.sockets.list(leaving)
	for start := 0; start < len(all); start += batchSize {
		held := lockBatch(all[start:min(start+batchSize, len(all))], func(e *entry) bool {
			return e.is(leaving) && !time.Now().Before(e.due)
		})
		if len(held) == 0 {
			continue
		}
		late, err := p.retryBatch(ctx, held)
		unlock(held)
		if err != nil {
			return // Redis is away again; the next round comes back to it
		}
		p.tell(ctx, len(late), func(ctx context.Context, i int) {
			if p.callbacks.OnLate != nil {
				p.callbacks.OnLate(ctx, late[i].entry.departure(late[i].entry.at, ReasonLate), late[i].left)
			}
		})
	}
}

type lateRemoval struct {
	entry *entry
	left  int
}

// retryBatch removes entries whose locks are held and returns those that have
// to be told of. One that is owed counts although it was not in the set any
// more: the answer to its first removal got lost, or Redis lost the set. Only
// where this pod was reaped, it was the reaper who told.
func (p *Presence) retryBatch(ctx context.Context, held []*entry) ([]lateRemoval, error) {
	bounded, cancel := p.opTimeout(ctx)
	defer cancel()
	results, err := p.erase(bounded, "retry", held)
	if err != nil {
		return nil, err
	}
	reaped, err := p.wasReaped(bounded)
	if err != nil {
		// The removals are done; telling once too often beats never telling.
		reaped = false
	}
	var late []lateRemoval
	for i, e := range held {
		if e.owed && (results[i].changed || !reaped) {
			late = append(late, lateRemoval{e, results[i].count})
		}
		p.sockets.drop(e)
	}
	return late, nil
}

func (e *entry) departure(at time.Time, reason string) models.Departure {
	return models.Departure{UserID: e.user, SocketID: e.socket, At: at, Reason: reason}
}
