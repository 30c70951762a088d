package redis

import (
	"context"
	"errors"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

// Remove takes the socket out of the user's set; removed is false where it was
// not in. Where it was the user's last, it is noted that they are gone since left
// and are to be told of; a zero left notes nothing. A removal that fails is done later, and told to OnLate. So is one of a
// socket that Redis has lost: how many are left is only known when all pods
// have put theirs back.
func (p *Presence) Remove(ctx context.Context, user models.UserID, socket models.SocketID, left time.Time) (bool, int, error) {
	e := p.sockets.lock(user, socket)
	defer e.mu.Unlock()
	e.left = left
	if e.is(live) {
		e.owed = true
	}
	results, err := p.erase(ctx, "remove", []*entry{e})
	if err != nil {
		p.leaveLater(e)
		return false, 0, err
	}
	removed, others := results[0].changed, results[0].count
	if !removed && e.owed {
		if reaped, err := p.wasReaped(ctx); err != nil || !reaped {
			e.due = time.Now().Add(p.ttl / gracePart)
			p.leaveLater(e)
			poke(p.kicks)
			return false, 0, models.Unavailable("Redis", errLost)
		}
	}
	p.sockets.drop(e)
	if removed && others == 0 && !left.IsZero() {
		p.lastLeft(ctx, user, left)
	}
	return removed, others, nil
}

var errLost = errors.New("it has lost the socket")

// erase takes the sockets out of their sets and then out of the pod's hash.
func (p *Presence) erase(ctx context.Context, op string, entries []*entry) ([]counted, error) {
	fields := make([]string, len(entries))
	commands := make([]*driver.Cmd, len(entries))
	keys := []typed{{socketsKey(p.pod), aHash}}
	for i, e := range entries {
		fields[i] = string(e.socket)
		_, kinds := p.leftKeys(e.user)
		keys = append(keys, kinds...)
	}
	err := p.sound(ctx, op, func() error {
		return p.inOrder(ctx,
			step{userKey(entries[0].user), func(pipe driver.Pipeliner) {
				for i, e := range entries {
					commands[i] = p.takeOut(ctx, pipe, e)
				}
			}},
			step{socketsKey(p.pod), func(pipe driver.Pipeliner) {
				for _, e := range entries {
					p.toLook(ctx, pipe, e)
				}
				pipe.HDel(ctx, socketsKey(p.pod), fields...)
			}})
	}, keys...)
	if err != nil {
		return nil, err
	}
	return counts(commands)
}

// wasReaped says whether another pod took this one for dead: then it was that
// pod that told of the departures.
func (p *Presence) wasReaped(ctx context.Context) (bool, error) {
	var n *driver.IntCmd
	err := p.ask("reaped", func() error {
		return p.trips.ride(ctx, reapedKey(p.pod), func(pipe driver.Pipeliner) { n = pipe.Exists(ctx, reapedKey(p.pod)) })
	})
	return err == nil && n.Val() > 0, err
}
