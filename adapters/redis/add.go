package redis

import (
	"context"
	"errors"
	"slices"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

// counted is what the scripts answer.
type counted struct {
	changed bool
	count   int
	// members are all that are there, where the script says it.
	members []string
}

// Add puts the socket into the user's set and says what was there just then.
// After an error nothing stays behind: what may have been written is taken out
// again, now or when Redis is back.
func (p *Presence) Add(ctx context.Context, user models.UserID, socket models.SocketID) (models.Arrival, error) {
	e := p.sockets.lock(user, socket)
	defer e.mu.Unlock()
	if p.isClosed() {
		if e.is(arriving) {
			p.sockets.drop(e)
		}
		return models.Arrival{}, models.Refuse(models.CodeShuttingDown, "this pod is shutting down")
	}
	if e.user != user {
		return models.Arrival{}, models.Internal(errors.New("a socket cannot belong to two users"))
	}
	if e.is(leaving) {
		// It comes again. What was asked for then may not have been done yet: a
		// Redis that only was slow reads it late, and takes out what comes now.
		// Once it has answered this, it has read all that.
		if _, err := p.erase(ctx, "add", []*entry{e}); err != nil {
			return models.Arrival{}, err
		}
	}
	var note *driver.MapStringStringCmd
	var left *driver.SliceCmd
	results, err := p.write(ctx, "add", []*entry{e}, step{absenceKey(user), func(pipe driver.Pipeliner) {
		note = pipe.HGetAll(ctx, absenceKey(user))
		left = pipe.MGet(ctx, p.leftKey(user)) // nobody changes it from the moment it is in
	}})
	arrival := models.Arrival{}
	if err == nil {
		arrival.Others = results[0].count
		arrival.Absence, arrival.Noted = p.absenceOf(note.Val())
		if values := left.Val(); arrival.Others == 0 && len(values) == 1 {
			arrival.Left = p.leftAt(values[0])
		}
		arrival.Ours, err = p.beside(ctx, user, socket, results[0])
	}
	if err != nil {
		if e.is(arriving) {
			p.leaveLater(e)
		}
		return models.Arrival{}, err
	}
	p.sockets.arrive(e)
	return arrival, nil
}

// beside says how many of the others that were there as the socket was added are
// ours.
func (p *Presence) beside(ctx context.Context, user models.UserID, socket models.SocketID, added counted) (int, error) {
	others := slices.DeleteFunc(added.members, func(id string) bool { return id == string(socket) })
	if added.count == 0 || len(others) == 0 {
		return added.count, nil // nobody, or more than are told apart
	}
	return p.oursOf(ctx, user, others)
}

// write notes the sockets in the pod's hash and then adds them to their sets,
// in this order: a pod that dies in between leaves notes, not ghosts. It is seen
// to that the pod is known, too: a Redis that lost its data has forgotten it, and
// who dies before its next refresh must be found. What also says is done
// right behind.
func (p *Presence) write(ctx context.Context, op string, entries []*entry, also ...step) ([]counted, error) {
	fields := make([]any, 0, 2*len(entries))
	for _, e := range entries {
		fields = append(fields, string(e.socket), string(e.user))
	}
	var lease *driver.BoolCmd
	commands := make([]*driver.Cmd, len(entries))
	keys := []typed{{socketsKey(p.pod), aHash}, {podsKey, aZSet}}
	for _, e := range entries {
		keys = append(keys, typed{userKey(e.user), aSet})
		if left := p.leftKey(e.user); left != "" {
			keys = append(keys, typed{left, aString})
		}
		if len(also) > 0 {
			keys = append(keys, typed{absenceKey(e.user), aHash})
		}
	}
	err := p.sound(ctx, op, func() error {
		return p.inOrder(ctx, append([]step{
			{socketsKey(p.pod), func(pipe driver.Pipeliner) {
				lease = pipe.SetNX(ctx, leaseKey(p.pod), stopgap, p.ttl/leasePart)
				pipe.HSet(ctx, socketsKey(p.pod), fields...)
			}},
			{userKey(entries[0].user), func(pipe driver.Pipeliner) {
				pipe.ZAddNX(ctx, podsKey, driver.Z{Score: float64(p.now().UnixMilli()), Member: p.pod})
				for i, e := range entries {
					own := []string{userKey(e.user)}
					if left := p.leftKey(e.user); left != "" {
						own = append(own, left)
					}
					commands[i] = pipe.Eval(ctx, addScript, own, string(e.socket), maxBeside)
				}
			}},
		}, also...)...)
	}, keys...)
	if err != nil {
		return nil, err
	}
	if lease.Val() { // not registered yet, or Redis lost its data, perhaps more of it
		poke(p.kicks)
	}
	return counts(commands)
}

func counts(commands []*driver.Cmd) ([]counted, error) {
	results := make([]counted, len(commands))
	for i, c := range commands {
		answer, err := c.Slice()
		if err != nil || len(answer) < 2 {
			return nil, models.Unavailable("Redis", errors.Join(err, errors.New("an answer that does not begin with two numbers")))
		}
		changed, _ := answer[0].(int64)
		count, _ := answer[1].(int64)
		results[i] = counted{changed: changed == 1, count: int(count)}
		if len(answer) > 2 {
			members, _ := answer[2].([]any)
			for _, m := range members {
				id, _ := m.(string)
				results[i].members = append(results[i].members, id)
			}
		}
	}
	return results, nil
}

// leaveLater remembers a removal that could not be done; the entry is locked.
func (p *Presence) leaveLater(e *entry) {
	if !p.sockets.leave(e, p.now()) {
		p.metrics.RedisError("late_removals_full")
		p.logger.Warn("too many sockets wait for Redis to be removed; the next audit finds this one", "socket", e.socket)
	}
}

func (p *Presence) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}
