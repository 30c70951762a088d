package redis

import (
	"context"
	"strings"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

// Others can write into this Redis too, and older versions have. What is odd is
// dropped and counted under one of these names; nobody is refused for it.
const (
	oddKey     = "odd_key"     // a key that holds another type than it has to
	oddAbsence = "odd_absence" // a note of an absence, or a part of it
	oddSession = "odd_session" // a note of a session, or a part of it
	oddUser    = "odd_user"    // a user id that cannot be one
	oddMark    = "odd_mark"    // a pod's mark
	oddTime    = "odd_time"    // a time at which nothing can have happened
)

// The types keys have, as TYPE calls them.
const (
	aSet    = "set"
	aHash   = "hash"
	aZSet   = "zset"
	aString = "string"
)

// typed is a key and what it has to be.
type typed struct{ key, kind string }

// sound is ask for a call that fails, and always would, where one of the keys
// has another type than it must: such a key says nothing, and is dropped.
func (p *Presence) sound(ctx context.Context, op string, fn func() error, keys ...typed) error {
	return p.ask(op, func() error {
		err := fn()
		if !isWrongType(err) {
			return err
		}
		for _, k := range keys {
			dropped, derr := dropOdd(ctx, p.client, k)
			if derr != nil {
				return derr
			}
			if dropped {
				p.metrics.Dropped(oddKey)
				p.logger.Warn("presence: a key held another type than it must and was dropped", "key", k.key, "must_be", k.kind)
			}
		}
		return fn()
	})
}

// dropScript looks again, so that what somebody has put right meanwhile stays.
const dropScript = `local is=redis.call('TYPE',KEYS[1]).ok
if is=='none' or is==ARGV[1] then return 0 end
return redis.call('DEL',KEYS[1])`

func dropOdd(ctx context.Context, client driver.Cmdable, k typed) (bool, error) {
	n, err := client.Eval(ctx, dropScript, []string{k.key}, k.kind).Int()
	return n > 0, err
}

// isWrongType also knows it in the words of a script that failed by it.
func isWrongType(err error) bool { return err != nil && strings.Contains(err.Error(), "WRONGTYPE") }

// userOf reads a user id out of a key or a hash; one that cannot be one is
// counted, and nobody's.
func (p *Presence) userOf(s string) (models.UserID, bool) {
	u, ok := models.ParseUserID(s)
	if !ok || string(u) != s {
		p.metrics.Dropped(oddUser)
		return "", false
	}
	return u, true
}

// believed is an absence as far as it can be; see models.Absence.Checked.
func (p *Presence) believed(a models.Absence, odd, ok bool) (models.Absence, bool) {
	if odd {
		p.metrics.Dropped(oddAbsence)
		p.logger.Warn("presence: a note of an absence is odd", "usable", ok)
	}
	return a, ok
}
