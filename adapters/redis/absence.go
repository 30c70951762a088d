package redis

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"parley/models"
)

const (
	absencePrefix = "parley:absence:"
	// absenceFor is how long Redis remembers an absence; the database has it for good.
	absenceFor = 30 * 24 * time.Hour
)

// A note is a hash: since and back in Unix microseconds, which a Lua number
// holds exactly, seen as JSON, and by, the socket it was made for. One script
// each, so that two pods that note at once cannot mix their notes.
const (
	awayScript = `local since,old=ARGV[1],redis.call('HGET',KEYS[1],'since')
if old and tonumber(old)>tonumber(since) then since=old end
redis.call('DEL',KEYS[1])
redis.call('HSET',KEYS[1],'since',since,'seen',ARGV[2],'by',ARGV[3])
redis.call('PEXPIRE',KEYS[1],ARGV[4])
return 1`
	// A return from before the user left belongs to an earlier absence: it may
	// arrive late, and must not end this one.
	backScript = `local old=redis.call('HGET',KEYS[1],'since')
if old and tonumber(old)>tonumber(ARGV[3]) then return 0 end
redis.call('DEL',KEYS[1])
redis.call('HSET',KEYS[1],'since',ARGV[1],'seen',ARGV[2],'back',ARGV[3])
redis.call('PEXPIRE',KEYS[1],ARGV[4])
return 1`
	// No time at all deletes.
	forgetScript = `if redis.call('HGET',KEYS[1],'by')==ARGV[1] then return redis.call('PEXPIRE',KEYS[1],ARGV[2]) end
return 0`
)

func absenceKey(user models.UserID) string { return absencePrefix + string(user) }

// MarkAway notes, on behalf of a socket that is about to leave, since when the
// user is away. A later Since that is already noted stays.
func (p *Presence) MarkAway(ctx context.Context, user models.UserID, by models.SocketID, absence models.Absence) error {
	seen, err := json.Marshal(absence.Seen)
	if err != nil {
		return models.Internal(err)
	}
	return p.ask("mark_away", func() error {
		return p.client.Eval(ctx, awayScript, []string{absenceKey(user)},
			micros(absence.Since), string(seen), string(by), absenceFor.Milliseconds()).Err()
	})
}

// Away returns the note on the user.
func (p *Presence) Away(ctx context.Context, user models.UserID) (models.Absence, bool, error) {
	var note map[string]string
	err := p.ask("away", func() (err error) {
		note, err = p.client.HGetAll(ctx, absenceKey(user)).Result()
		return err
	})
	if err != nil {
		return models.Absence{}, false, err
	}
	return absenceOf(note)
}

func absenceOf(note map[string]string) (absence models.Absence, noted bool, err error) {
	if len(note) == 0 {
		return absence, false, nil
	}
	since, err := strconv.ParseInt(note["since"], 10, 64)
	if err == nil {
		absence.Since = time.UnixMicro(since).UTC()
		err = json.Unmarshal([]byte(note["seen"]), &absence.Seen)
	}
	if text, ok := note["back"]; ok && err == nil {
		var back int64
		back, err = strconv.ParseInt(text, 10, 64)
		absence.Back = time.UnixMicro(back).UTC()
	}
	if err != nil {
		return models.Absence{}, false, models.Internal(errors.Join(errors.New("an absence note cannot be read"), err))
	}
	return absence, true, nil
}

// MarkBack notes that the first device returned, and from which absence; the
// note ends after keep.
func (p *Presence) MarkBack(ctx context.Context, user models.UserID, absence models.Absence, keep time.Duration) error {
	if keep < time.Millisecond { // nobody shares it
		return p.ask("mark_back", func() error { return p.client.Del(ctx, absenceKey(user)).Err() })
	}
	seen, err := json.Marshal(absence.Seen)
	if err != nil {
		return models.Internal(err)
	}
	return p.ask("mark_back", func() error {
		return p.client.Eval(ctx, backScript, []string{absenceKey(user)},
			micros(absence.Since), string(seen), micros(absence.Back), keep.Milliseconds()).Err()
	})
}

// ForgetAway drops the note after keep if it is still the one made on behalf of by.
func (p *Presence) ForgetAway(ctx context.Context, user models.UserID, by models.SocketID, keep time.Duration) error {
	return p.ask("forget_away", func() error {
		return p.client.Eval(ctx, forgetScript, []string{absenceKey(user)}, string(by), keep.Milliseconds()).Err()
	})
}

func micros(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }
