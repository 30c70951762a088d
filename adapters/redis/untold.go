package redis

import (
	"context"
	"strconv"
	"strings"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

const (
	untoldKey  = "parley:untold" // sorted set: user → when they are to be told of, Unix ms
	leftPrefix = "parley:left:"
	// leftFor is how long it is remembered that somebody left: longer than any
	// pod's absence that still has somebody to tell.
	leftFor = time.Hour
)

// A string for each user who left lately holds when, in Unix ms, or, negative, when
// others were told, which whoever comes ends. It is in one slot with the user's set,
// so that one script decides whether they are gone; who comes meanwhile is in the
// set first. The sorted set only says when to look.
const (
	leaveScript = `local n=redis.call('SREM',KEYS[1],ARGV[1])
local left=redis.call('SCARD',KEYS[1])
if n==1 and left==0 then redis.call('SET',KEYS[2],ARGV[2],'PX',ARGV[3]) end
return {n,left}`
	// The same absence may be noted several times: by two who clean up after a pod, or
	// for each device, where Redis had lost them. Who had left by the time others were
	// told is gone as they know.
	noteLeftScript = `if redis.call('SCARD',KEYS[1])>0 then return 0 end
local old,left=tonumber(redis.call('GET',KEYS[2]) or '') or 0,tonumber(ARGV[1])
if old>left or old<0 and left<=-old then return 0 end
redis.call('SET',KEYS[2],ARGV[1],'PX',ARGV[2])
return 1`
	takeLeftScript = `local at=tonumber(redis.call('GET',KEYS[2]) or '') or 0
if at<=0 or redis.call('SCARD',KEYS[1])>0 then return 0 end
redis.call('SET',KEYS[2],'-'..ARGV[2],'PX',ARGV[1])
return at`
	tellScript = `if redis.call('SCARD',KEYS[1])>0 or redis.call('GET',KEYS[2])~=ARGV[1] then return 0 end
redis.call('SET',KEYS[2],'-'..ARGV[3],'PX',ARGV[2])
return 1`
)

// leftKey is empty for a user id whose braces keep it out of the set's slot, on
// a cluster: of such a user others are told without grace.
func (p *Presence) leftKey(user models.UserID) string {
	tag := slotTag(user)
	if tag == "" && p.clustered {
		return ""
	}
	return leftPrefix + "{" + tag + "}:" + string(user)
}

// slotTag puts a key into the slot of the user's set; it is empty where that
// cannot be done.
func slotTag(user models.UserID) string {
	tag := userKey(user)
	if _, behind, ok := strings.Cut(tag, "{"); ok {
		if inside, _, ok := strings.Cut(behind, "}"); ok && inside != "" {
			tag = inside
		}
	}
	if strings.Contains(tag, "}") {
		return ""
	}
	return tag
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// takeOut queues the removal of a socket from its set. Where it is the last, that
// its user left is noted in the same breath.
func (p *Presence) takeOut(ctx context.Context, pipe driver.Pipeliner, e *entry) *driver.Cmd {
	key := p.leftKey(e.user)
	if e.left.IsZero() || key == "" {
		return pipe.Eval(ctx, removeScript, []string{userKey(e.user)}, string(e.socket))
	}
	return pipe.Eval(ctx, leaveScript, []string{userKey(e.user), key}, string(e.socket), millis(e.left), leftFor.Milliseconds())
}

// toLook queues that it is looked whether the user is still gone. Right behind
// the removal: one that looks sooner must find them gone.
func (p *Presence) toLook(ctx context.Context, pipe driver.Pipeliner, e *entry) {
	if !e.left.IsZero() {
		pipe.ZAdd(ctx, untoldKey, driver.Z{Score: float64(p.due(e.left).UnixMilli()), Member: string(e.user)})
	}
}

// due is when others are told of a user who left then.
func (p *Presence) due(left time.Time) time.Time {
	now, due := p.now(), left.Add(p.grace)
	if due.Before(now) {
		return now
	}
	return due
}

func (p *Presence) leftKeys(user models.UserID) (keys []string, kinds []typed) {
	keys = []string{userKey(user), p.leftKey(user)}
	return keys, []typed{{keys[0], aSet}, {keys[1], aString}, {untoldKey, aZSet}}
}

// NoteLeft notes that the user, who has no socket, left then and is to be told
// of; of a user who has one it notes nothing.
func (p *Presence) NoteLeft(ctx context.Context, user models.UserID, left time.Time) error {
	if p.leftKey(user) == "" {
		return models.Refuse(models.CodeInternal, "not noted on a cluster: a user id with braces")
	}
	due := p.due(left)
	keys, kinds := p.leftKeys(user)
	err := p.sound(ctx, "note_left", func() error {
		return p.inOrder(ctx,
			step{keys[0], func(pipe driver.Pipeliner) {
				pipe.Eval(ctx, noteLeftScript, keys, millis(left), leftFor.Milliseconds())
			}},
			step{untoldKey, func(pipe driver.Pipeliner) {
				pipe.ZAdd(ctx, untoldKey, driver.Z{Score: float64(due.UnixMilli()), Member: string(user)})
			}})
	}, kinds...)
	if err == nil {
		p.dues.add(due)
	}
	return err
}

// leftAt reads when a user left of whom nobody has been told; zero for none.
func (p *Presence) leftAt(value any) time.Time {
	text, _ := value.(string)
	ms, err := strconv.ParseInt(text, 10, 64)
	if at := time.UnixMilli(ms).UTC(); err == nil && ms > 0 && models.Plausible(at, p.now()) {
		return at
	}
	return time.Time{}
}

// TakeUntold returns those who are still gone, and notes that others are told of
// them: the caller does, at once.
func (p *Presence) TakeUntold(ctx context.Context, untold []models.Untold) ([]models.Untold, error) {
	var taken []models.Untold
	var entries []*entry
	for _, u := range untold {
		if p.leftKey(u.UserID) == "" {
			taken = append(taken, u)
			continue
		}
		entries = append(entries, &entry{user: u.UserID, left: u.Left})
	}
	answers, err := p.evalEach(ctx, "take_untold", entries, tellScript, func(e *entry) []any {
		return []any{millis(e.left), leftFor.Milliseconds(), millis(p.now())}
	})
	for i, n := range answers {
		if n == 1 {
			taken = append(taken, models.Untold{UserID: entries[i].user, Left: entries[i].left})
		}
	}
	return taken, err
}

// TakeLeft is TakeUntold of whoever of the users has left, due or not.
func (p *Presence) TakeLeft(ctx context.Context, users []models.UserID) ([]models.Untold, error) {
	var entries []*entry
	for _, u := range users {
		if p.leftKey(u) != "" {
			entries = append(entries, &entry{user: u})
		}
	}
	if len(entries) == 0 {
		return nil, nil
	}
	answers, err := p.evalEach(ctx, "take_left", entries, takeLeftScript, func(*entry) []any {
		return []any{leftFor.Milliseconds(), millis(p.now())}
	})
	var taken []models.Untold
	for i, ms := range answers {
		if at := p.leftAt(strconv.FormatInt(ms, 10)); !at.IsZero() {
			taken = append(taken, models.Untold{UserID: entries[i].user, Left: at})
		}
	}
	return taken, err
}

// evalEach runs a script of a user's set and note for each, in one go.
func (p *Presence) evalEach(ctx context.Context, op string, entries []*entry, script string, args func(*entry) []any) ([]int64, error) {
	commands := make([]*driver.Cmd, len(entries))
	var kinds []typed
	for _, e := range entries {
		_, k := p.leftKeys(e.user)
		kinds = append(kinds, k...)
	}
	err := p.sound(ctx, op, func() error {
		_, err := p.client.Pipelined(ctx, func(pipe driver.Pipeliner) error {
			for i, e := range entries {
				keys, _ := p.leftKeys(e.user)
				commands[i] = pipe.Eval(ctx, script, keys, args(e)...)
			}
			return nil
		})
		return err
	}, kinds...)
	if err != nil {
		return nil, err
	}
	answers := make([]int64, len(entries))
	for i, c := range commands {
		answers[i], _ = c.Int64()
	}
	return answers, nil
}

// lastLeft is for a user whose last socket was just taken out. Where that cannot
// be noted, there is no grace.
func (p *Presence) lastLeft(ctx context.Context, user models.UserID, left time.Time) {
	if p.leftKey(user) != "" {
		p.dues.add(p.due(left))
		return
	}
	if p.callbacks.OnUntold == nil {
		return
	}
	if err := p.callbacks.OnUntold(ctx, []models.Untold{{UserID: user, Left: left}}); err != nil {
		p.logger.Warn("presence: nobody could be told who left", "user", user, "error", err)
	}
}
