package redis

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

const (
	// A round asks for so many keys at a time, and rests in between: Redis has
	// other work, and keys that are not ours.
	censusKeys = 1000
	censusRest = 50 * time.Millisecond
	// maxCensus bounds the users remembered, at some 100 bytes each.
	maxCensus    = 1 << 20
	censusCall   = 2 * time.Second
	minCensusGap = 500 * time.Millisecond
)

// CensusOptions say how a Census is taken.
type CensusOptions struct {
	Client driver.UniversalClient
	// Every is the time between two rounds; half a second at least.
	Every time.Duration
	// Needed says whether there are pods that keep no books of their own.
	Needed func(ctx context.Context) (bool, error)
	Logger *slog.Logger
	Now    func() time.Time
}

// Census knows when each user was last online on a pod that is none of
// Parley's: it looks at everybody's sets again and again. While a team moves
// from Node to Parley that is all there is to know of a user Parley has not seen.
type Census struct {
	o    CensusOptions
	each func(ctx context.Context, fn func(context.Context, driver.Cmdable) error) error

	mu   sync.Mutex
	seen map[models.UserID]time.Time
	full bool
}

// NewCensus makes a Census; nothing is known before Run.
func NewCensus(o CensusOptions) *Census {
	o.Every = max(o.Every, minCensusGap)
	o.Logger, _ = orQuiet(o.Logger, nil)
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Census{o: o, seen: map[models.UserID]time.Time{}, each: onEach(o.Client)}
}

// onEach calls for each server that holds keys of its own.
func onEach(client driver.UniversalClient) func(context.Context, func(context.Context, driver.Cmdable) error) error {
	if clustered, ok := client.(*driver.ClusterClient); ok {
		return func(ctx context.Context, fn func(context.Context, driver.Cmdable) error) error {
			return clustered.ForEachMaster(ctx, func(ctx context.Context, node *driver.Client) error { return fn(ctx, node) })
		}
	}
	return func(ctx context.Context, fn func(context.Context, driver.Cmdable) error) error {
		return fn(ctx, client)
	}
}

// LastOnline is when the user was last seen to have a socket elsewhere.
func (c *Census) LastOnline(user models.UserID) (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.seen[user]
	return at, ok
}

// Run takes rounds until the context ends. One that fails is taken again.
func (c *Census) Run(ctx context.Context) error {
	ticker := time.NewTicker(c.o.Every)
	defer ticker.Stop()
	for {
		needed, err := c.o.Needed(ctx)
		if err == nil && needed {
			err = c.each(ctx, c.round)
		}
		if err != nil && ctx.Err() == nil {
			c.o.Logger.Debug("census broke off", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (c *Census) round(ctx context.Context, node driver.Cmdable) error {
	at := c.o.Now() // before Redis looks
	return walkSets(ctx, node, func(keys []string) error {
		keys, err := c.servedElsewhere(ctx, node, keys)
		if err != nil {
			return err
		}
		c.note(keys, at)
		at = c.o.Now()
		return nil
	})
}

// walkSets hands out the keys of all users' sets, some at a time.
func walkSets(ctx context.Context, node driver.Cmdable, fn func(keys []string) error) error {
	for cursor := uint64(0); ; {
		bounded, cancel := context.WithTimeout(ctx, censusCall)
		keys, next, err := node.Scan(bounded, cursor, userPrefix+"*"+userSuffix, censusKeys).Result()
		cancel()
		if err != nil {
			return models.Unavailable("Redis", err)
		}
		if err := fn(keys); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(censusRest):
		}
	}
}

// membersOf returns the members of each set, and of all of them.
func membersOf(ctx context.Context, node driver.Cmdable, keys []string) (sets [][]string, all []string, err error) {
	commands := make([]*driver.StringSliceCmd, len(keys))
	if _, err := node.Pipelined(ctx, func(pipe driver.Pipeliner) error {
		for i, key := range keys {
			commands[i] = pipe.SMembers(ctx, key)
		}
		return nil
	}); err != nil && !isWrongType(err) { // a key that is no set has no sockets in it
		return nil, nil, models.Unavailable("Redis", err)
	}
	sets = make([][]string, len(keys))
	for i, c := range commands {
		if sets[i], err = c.Result(); err != nil && !isWrongType(err) {
			return nil, nil, models.Unavailable("Redis", err)
		}
		all = append(all, sets[i]...)
	}
	return sets, all, nil
}

// servedElsewhere returns the keys of sets with a socket that is no Parley pod's:
// where one of ours was only about to be let in, nobody has served the user.
// A socket is noted in its pod's hash before it is in its set.
func (c *Census) servedElsewhere(ctx context.Context, node driver.Cmdable, keys []string) ([]string, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, censusCall)
	defer cancel()
	sets, sockets, err := membersOf(ctx, node, keys)
	if err != nil {
		return nil, err
	}
	ours, err := booked(ctx, c.o.Client, sockets)
	if err != nil {
		return nil, err
	}
	elsewhere := keys[:0]
	for i, key := range keys {
		if slices.ContainsFunc(sets[i], func(socket string) bool { return !ours[socket] }) {
			elsewhere = append(elsewhere, key)
		}
	}
	return elsewhere, nil
}

// userIn is whose set the key names; ok is false for what can be nobody's.
func userIn(key string) (user models.UserID, ok bool) {
	return models.ParseUserID(strings.TrimSuffix(strings.TrimPrefix(key, userPrefix), userSuffix))
}

// note takes the keys of sets, which exist only while there is a socket in them.
func (c *Census) note(keys []string, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		user, ok := userIn(key)
		if !ok {
			continue
		}
		if _, known := c.seen[user]; !known && len(c.seen) >= maxCensus {
			if !c.full {
				c.full = true
				c.o.Logger.Warn("census: too many users to remember; the others may be sent again what they had", "users", maxCensus)
			}
			continue
		}
		c.seen[user] = at
	}
}
