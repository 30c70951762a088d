package redis

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

// A Redis that has lost what it knew does not say so. It lacks wholeKey, which
// stays for good once what the database knows of who was there has been held
// against who still is. Both keys are in one slot.
const (
	wholeKey      = "parley:{whole}"    // string: since when, Unix ms
	wholeClaimKey = "parley:{whole}:by" // string: the pod that sees to it
	// wholeWithin is how long it may take; if its pod dies, another does it then.
	wholeWithin = time.Minute
	// Where it was lost again meanwhile, so was the claim.
	wholeScript = `if redis.call('GET',KEYS[2])~=ARGV[1] then return 0 end
redis.call('DEL',KEYS[2])
redis.call('SET',KEYS[1],ARGV[2])
return 1`
)

// foundWhole notes whether Redis was found to know what it once knew; held says
// that the lease of this pod was there. Where it was not, all pods that live are
// given half a TTL to put back what they have; those that do not count as dead.
func (p *Presence) foundWhole(yes, held bool) {
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case yes:
		p.lost = time.Time{}
	case p.lost.IsZero() || !held: // or was lost once more
		p.lost = now
	case now.Sub(p.lost) >= p.ttl/leasePart:
		poke(p.forgotten)
	}
}

// keepWhole has it found out who was there before Redis forgot.
func (p *Presence) keepWhole(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.forgotten:
		}
		if err := p.makeWhole(ctx); err != nil && ctx.Err() == nil {
			p.logger.Warn("presence: not known who left while Redis forgot; it is tried again", "error", err)
		}
	}
}

func (p *Presence) makeWhole(ctx context.Context) error {
	lost := p.lostAt()
	if lost.IsZero() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, wholeWithin)
	defer cancel()
	claimed := false
	if err := p.sound(ctx, "whole", func() error {
		err := p.client.SetArgs(ctx, wholeClaimKey, p.pod, driver.SetArgs{Mode: "NX", TTL: wholeWithin}).Err()
		claimed = err == nil
		return err // driver.Nil: somebody else is at it
	}, typed{wholeClaimKey, aString}); err != nil || !claimed {
		return err
	}
	err := p.findMissing(ctx, lost)
	if err == nil {
		err = p.sound(ctx, "whole", func() error {
			return p.client.Eval(ctx, wholeScript, []string{wholeKey, wholeClaimKey}, p.pod, millis(p.now())).Err()
		}, typed{wholeKey, aString}, typed{wholeClaimKey, aString})
	}
	poke(p.overdue)
	return err // after one, the claim ends by itself
}

func (p *Presence) lostAt() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

var errLostAgain = errors.New("more was lost meanwhile")

// findMissing has those told of who are not there any more. All have been put back
// by now, unless Redis has lost them again since this pod last looked: then its
// lease is gone, too.
func (p *Presence) findMissing(ctx context.Context, lost time.Time) error {
	var lease string
	if err := p.ask("whole", func() (err error) {
		lease, err = p.client.Get(ctx, leaseKey(p.pod)).Result()
		return err
	}); err != nil {
		return err
	}
	if lease == "" || lease == stopgap || !p.lostAt().Equal(lost) {
		return errLostAgain
	}
	if p.callbacks.OnForgotten == nil {
		return nil
	}
	return p.callbacks.OnForgotten(ctx, lost)
}

// NoteMissing is NoteLeft of those who are not there, for OnForgotten. Had Redis
// lost those who are there before it was asked, it would have lost the claim.
func (p *Presence) NoteMissing(ctx context.Context, users []models.UserID, left time.Time) error {
	there, err := p.Online(ctx, users)
	if err != nil {
		return err
	}
	var by string
	if err := p.ask("whole", func() (err error) {
		by, err = p.client.Get(ctx, wholeClaimKey).Result()
		return err
	}); err != nil {
		return err
	}
	if by != p.pod {
		return errLostAgain
	}
	users = slices.DeleteFunc(slices.Clone(users), func(u models.UserID) bool { return there[u] || p.leftKey(u) == "" })
	errs := make([]error, len(users))
	var all sync.WaitGroup
	for i, u := range users { // so many as are handed over at a time, in as good as one trip
		all.Go(func() { errs[i] = p.NoteLeft(ctx, u, left) })
	}
	all.Wait()
	return errors.Join(errs...)
}
