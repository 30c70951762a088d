package redis

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"parley/models"
)

const (
	// untoldClaim is how long whoever tells of some may take; if it dies, another
	// does it after that.
	untoldClaim = 2 * callbackTimeout
	// tellGap: those who leave within it are told of together.
	tellGap = 100 * time.Millisecond
)

const (
	// Who is back has been away for too short a time to be told of.
	isLeftScript = `local at=tonumber(redis.call('GET',KEYS[2]) or '') or 0
if at<=0 then return 0 end
if redis.call('SCARD',KEYS[1])>0 then redis.call('DEL',KEYS[2]) return 0 end
return at`
	// Who is claimed is due again later, at a time nobody else gives them.
	claimUntoldScript = `local due=redis.call('ZRANGEBYSCORE',KEYS[1],'-inf',ARGV[1],'LIMIT',0,ARGV[3])
for _,user in ipairs(due) do redis.call('ZADD',KEYS[1],ARGV[2],user) end
return due`
	doneUntoldScript = `for i=2,#ARGV do
if tonumber(redis.call('ZSCORE',KEYS[1],ARGV[i]) or '')==tonumber(ARGV[1]) then redis.call('ZREM',KEYS[1],ARGV[i]) end
end
return 1`
)

// keepTelling has those told of who left and have not come back. Each pod looks
// when somebody of its own is due; and now and then, for pods that died.
func (p *Presence) keepTelling(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait := time.Hour // until somebody pokes
		if next, ok := p.dues.next(); ok {
			wait = max(tellGap, next.Sub(p.now()))
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-p.dues.sooner:
			continue
		case <-p.overdue:
		}
		p.dues.pass(p.now())
		for ctx.Err() == nil && p.tellUntold(ctx) {
			continue
		}
	}
}

// tellUntold has some told of who are due, and says whether there may be more.
// What fails is tried again, by whoever looks first then.
func (p *Presence) tellUntold(ctx context.Context) (more bool) {
	p.telling.Lock()
	defer p.telling.Unlock()
	if p.silent || p.callbacks.OnUntold == nil || !p.hasRedis() {
		return false
	}
	now := p.now()
	again := now.Add(untoldClaim)
	claim := millis(again) + ".5"
	entries, err := p.claimUntold(ctx, now, claim)
	if err != nil || len(entries) == 0 {
		return false
	}
	if err = p.tellOf(ctx, entries); err == nil {
		err = p.doneUntold(ctx, claim, entries)
	}
	if err != nil {
		if ctx.Err() == nil {
			p.logger.Warn("presence: nobody could be told who left; it is tried again", "users", len(entries), "error", err)
		}
		p.dues.add(again)
	}
	return len(entries) == batchSize
}

func (p *Presence) claimUntold(ctx context.Context, now time.Time, claim string) (entries []*entry, err error) {
	ctx, cancel := p.opTimeout(ctx)
	defer cancel()
	var users []string
	err = p.sound(ctx, "claim_untold", func() (err error) {
		users, err = p.client.Eval(ctx, claimUntoldScript, []string{untoldKey}, millis(now), claim, batchSize).StringSlice()
		return err
	}, typed{untoldKey, aZSet})
	for _, text := range users {
		entries = append(entries, &entry{user: models.UserID(text)})
	}
	return entries, err
}

// tellOf has those told of who are really gone.
func (p *Presence) tellOf(ctx context.Context, entries []*entry) error {
	var known []*entry
	for _, e := range entries {
		if user, ok := p.userOf(string(e.user)); ok && p.leftKey(user) != "" {
			known = append(known, e)
		}
	}
	bounded, cancel := p.opTimeout(ctx)
	defer cancel()
	answers, err := p.evalEach(bounded, "is_left", known, isLeftScript, func(*entry) []any { return nil })
	if err != nil {
		return err
	}
	var untold []models.Untold
	for i, ms := range answers {
		if at := p.leftAt(strconv.FormatInt(ms, 10)); !at.IsZero() {
			untold = append(untold, models.Untold{UserID: known[i].user, Left: at})
		}
	}
	if len(untold) == 0 {
		return nil
	}
	told, done := context.WithTimeout(ctx, callbackTimeout)
	defer done()
	return p.callbacks.OnUntold(told, untold)
}

func (p *Presence) doneUntold(ctx context.Context, claim string, entries []*entry) error {
	ctx, cancel := p.opTimeout(ctx)
	defer cancel()
	args := []any{claim}
	for _, e := range entries {
		args = append(args, string(e.user))
	}
	return p.sound(ctx, "done_untold", func() error {
		return p.client.Eval(ctx, doneUntoldScript, []string{untoldKey}, args...).Err()
	}, typed{untoldKey, aZSet})
}

// silence leaves it to the other pods to tell who left: this one's way to them
// is about to be closed. What it has begun to tell is told when it returns.
func (p *Presence) silence() {
	p.telling.Lock()
	p.silent = true
	p.telling.Unlock()
}

// dues are when this pod has somebody to tell of, in order, a tellGap apart.
type dues struct {
	mu     sync.Mutex
	at     []time.Time
	sooner chan struct{} // the first has changed
}

func (d *dues) add(at time.Time) {
	at = at.Truncate(tellGap).Add(tellGap)
	d.mu.Lock()
	defer d.mu.Unlock()
	i, there := slices.BinarySearchFunc(d.at, at, time.Time.Compare)
	if there {
		return
	}
	d.at = slices.Insert(d.at, i, at)
	if i == 0 {
		poke(d.sooner)
	}
}

func (d *dues) next() (time.Time, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.at) == 0 {
		return time.Time{}, false
	}
	return d.at[0], true
}

// pass forgets those that are over.
func (d *dues) pass(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = slices.DeleteFunc(d.at, func(at time.Time) bool { return !at.After(now) })
}
