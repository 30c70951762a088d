package redis

import (
	"context"
	"encoding/json"
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

// note is a session in JSON; times are Unix µs, and those of Sent are the
// differences from one to the next.
type note struct {
	User    string   `json:"user"`
	Over    bool     `json:"over,omitempty"`
	Heard   int64    `json:"heard,omitempty"` // what versions before do not say
	Since   int64    `json:"since"`           // when it came
	Seen    []string `json:"seen,omitempty"`
	Sent    []string `json:"sent,omitempty"`
	Steps   []int64  `json:"steps,omitempty"`
	Backlog int      `json:"backlog,omitempty"`
	From    int64    `json:"from,omitempty"`
	Unread  int      `json:"unread,omitempty"`
}

func sessionKey(id models.SessionID) string { return sessionPrefix + string(id) }

// KeepSession remembers the session for that long.
func (p *Presence) KeepSession(ctx context.Context, id models.SessionID, s models.Session, keep time.Duration) error {
	n := note{User: string(s.UserID), Over: s.Over, Since: s.Came.UnixMicro(), Backlog: s.Backlog, Unread: s.Unread}
	if !s.Before.Heard.IsZero() {
		n.Heard = s.Before.Heard.UnixMicro()
	}
	if !s.From.IsZero() {
		n.From = s.From.UnixMicro()
	}
	for _, id := range s.Before.Seen {
		n.Seen = append(n.Seen, string(id))
	}
	last := int64(0)
	for _, d := range s.Sent {
		at := d.At.UnixMicro()
		n.Sent, n.Steps = append(n.Sent, string(d.ID)), append(n.Steps, at-last)
		last = at
	}
	value, err := json.Marshal(n)
	if err != nil {
		return models.Internal(err)
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
	var n note
	if err := json.Unmarshal([]byte(value), &n); err != nil || len(n.Sent) != len(n.Steps) {
		p.metrics.Dropped(oddSession)
		p.logger.Warn("a session cannot be read", "error", err)
		return models.Session{}, false, nil // the client is where it would be without
	}
	s := models.Session{
		UserID: models.UserID(n.User), Over: n.Over, Backlog: n.Backlog, Unread: n.Unread,
		Came: time.UnixMicro(n.Since).UTC(),
	}
	if n.Heard != 0 {
		s.Before.Heard = time.UnixMicro(n.Heard).UTC()
	}
	if n.From != 0 {
		s.From = time.UnixMicro(n.From).UTC()
	}
	for _, id := range n.Seen {
		s.Before.Seen = append(s.Before.Seen, models.MessageID(id))
	}
	at := int64(0)
	for i, id := range n.Sent {
		at += n.Steps[i]
		s.Sent = append(s.Sent, models.Delivery{ID: models.MessageID(id), At: time.UnixMicro(at).UTC()})
	}
	s, odd, ok := s.Checked(p.now())
	if odd {
		p.metrics.Dropped(oddSession)
		p.logger.Warn("a session is odd", "usable", ok)
	}
	return s, ok, nil
}
