package redis

import (
	"context"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

const sessionPrefix = "parley:session:"

const (
	// keepSessionScript also tells whoever waits for it, on a channel of the same
	// name; who may not be told has its last look.
	keepSessionScript = `redis.call('SET',KEYS[1],ARGV[1],'PX',ARGV[2]) redis.pcall('PUBLISH',KEYS[1],'') return 1`
	// takeSessionScript is GETDEL, which a Redis before 6.2 does not have.
	takeSessionScript = `local v=redis.call('GET',KEYS[1]) if v then redis.call('DEL',KEYS[1]) end return v`
)

func sessionKey(id models.SessionID) string { return sessionPrefix + string(id) }

// KeepSession remembers the session for that long.
func (p *Presence) KeepSession(ctx context.Context, id models.SessionID, s models.Session, keep time.Duration) error {
	value, err := s.Note()
	if err != nil {
		return err
	}
	return p.ask("keep_session", func() error {
		return p.trips.ride(ctx, sessionKey(id), func(pipe driver.Pipeliner) {
			pipe.Eval(ctx, keepSessionScript, []string{sessionKey(id)}, value, max(1, keep.Milliseconds()))
		})
	})
}

// AwaitSession is TakeSession of what somebody is about to keep: it returns when
// that is there, and looks a last time when patience ends. All who wait on this
// pod share one connection.
func (p *Presence) AwaitSession(ctx context.Context, id models.SessionID, patience time.Duration) (s models.Session, found bool, err error) {
	err = p.awaitNote(ctx, sessionKey(id), patience, func() (bool, error) {
		s, found, err = p.TakeSession(ctx, id)
		return found, err
	})
	return s, found, err
}

// TakeSession returns what is remembered, and forgets it.
func (p *Presence) TakeSession(ctx context.Context, id models.SessionID) (models.Session, bool, error) {
	var kept *driver.Cmd
	err := p.sound(ctx, "take_session", func() error {
		return p.trips.ride(ctx, sessionKey(id), func(pipe driver.Pipeliner) { kept = pipe.Eval(ctx, takeSessionScript, []string{sessionKey(id)}) })
	}, typed{sessionKey(id), aString})
	if err != nil {
		return models.Session{}, false, err
	}
	value, _ := kept.Val().(string)
	if value == "" {
		return models.Session{}, false, nil
	}
	s, odd, err := models.SessionFrom([]byte(value), p.now())
	if odd {
		p.metrics.Dropped(oddSession)
		p.logger.Warn("a session is odd", "error", err)
	}
	return s, err == nil, nil // the client is where it would be without
}
