package redis

import (
	"context"
	"errors"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

// takenFor is how long Redis remembers which reaper took a socket out.
const takenFor = 10 * time.Minute

// takeScript takes a socket out of its set and notes who did. Without the note,
// a reaper that dies or gets no answer right then would leave a departure that
// nobody knows has to be told. Both keys are in one slot; see takenKey.
const takeScript = `local n=redis.call('SREM',KEYS[1],ARGV[1])
local by=''
if KEYS[2] then
  if n==1 then redis.call('SET',KEYS[2],ARGV[2],'PX',ARGV[3]) end
  by=redis.call('GET',KEYS[2]) or ''
end
return {n,redis.call('SCARD',KEYS[1]),by}`

// takenKey is the note's key, put into the slot of the user's set by its hash
// tag. A user id whose braces make that impossible gets no note.
func takenKey(user models.UserID, socket models.SocketID) string {
	tag := slotTag(user)
	if tag == "" {
		return ""
	}
	return "parley:taken:{" + tag + "}:" + string(socket)
}

type verdict int

const (
	nothing   verdict = iota // it was not in its set: no more to do
	tellIt                   // it is out, and it is ours to tell
	leaveToIt                // another reaper, alive, took it and will tell
)

// take takes one socket of a dead pod out of its set and says who has to tell.
// unsure: an earlier try of this pod got no answer.
func (p *Presence) take(ctx context.Context, e *entry, unsure bool) (v verdict, left int, err error) {
	keys := []string{userKey(e.user)}
	kinds := []typed{{userKey(e.user), aSet}}
	if key := takenKey(e.user, e.socket); key != "" {
		keys, kinds = append(keys, key), append(kinds, typed{key, aString})
	}
	var took *driver.Cmd
	err = p.sound(ctx, "reap", func() error {
		bounded, cancel := p.opTimeout(ctx)
		defer cancel()
		return p.trips.ride(bounded, keys[0], func(pipe driver.Pipeliner) {
			took = pipe.Eval(bounded, takeScript, keys, string(e.socket), p.pod, takenFor.Milliseconds())
		})
	}, kinds...)
	if err != nil {
		return nothing, 0, err
	}
	answer, _ := took.Val().([]any)
	if len(answer) != 3 {
		return nothing, 0, models.Unavailable("Redis", errors.New("an answer that is not three values"))
	}
	removed, _ := answer[0].(int64)
	count, _ := answer[1].(int64)
	by, _ := answer[2].(string)
	left = int(count)
	switch {
	case removed == 1:
		return tellIt, left, nil
	case by == "":
		return nothing, left, nil
	case by == p.pod:
		if unsure {
			return tellIt, left, nil
		}
		return nothing, left, nil
	}
	var alive *driver.IntCmd
	err = p.ask("reap", func() error {
		bounded, cancel := p.opTimeout(ctx)
		defer cancel()
		return p.trips.ride(bounded, leaseKey(by), func(pipe driver.Pipeliner) { alive = pipe.Exists(bounded, leaseKey(by)) })
	})
	if err != nil {
		return nothing, left, err
	}
	if alive.Val() > 0 {
		return leaveToIt, left, nil
	}
	return tellIt, left, nil
}

// tidy forgets the sockets of a dead pod that are done with.
func (p *Presence) tidy(ctx context.Context, pod string, done []*entry) error {
	if len(done) == 0 {
		return nil
	}
	ctx, cancel := p.opTimeout(context.WithoutCancel(ctx))
	defer cancel()
	return p.ask("reap", func() error {
		_, err := p.client.Pipelined(ctx, func(pipe driver.Pipeliner) error {
			fields := make([]string, len(done))
			for i, e := range done {
				fields[i] = string(e.socket)
				if key := takenKey(e.user, e.socket); key != "" {
					pipe.Del(ctx, key)
				}
			}
			pipe.HDel(ctx, socketsKey(pod), fields...)
			return nil
		})
		return err
	})
}
