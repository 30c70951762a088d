package redis

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

const (
	absencePrefix = "parley:absence:"
	// absenceFor is how long Redis remembers an absence; the database has it for good.
	absenceFor = 30 * 24 * time.Hour
)

// A note is a hash: since, heard and back in Unix microseconds, which a Lua number
// holds exactly, seen as JSON, and by, the socket it was made for; who waits for it
// is told on a channel of the same name. One script
// each, so that two pods that note at once cannot mix their notes. What is no
// number, or a time yet to come, has not been noted by a pod and counts for
// nothing. Versions before have noted no heard.
const (
	// A later departure that is noted stays: what that device had is more.
	awayScript = `local old=tonumber(redis.call('HGET',KEYS[1],'since') or '')
if not old or old<=tonumber(ARGV[1]) or old>tonumber(ARGV[6]) then
  redis.call('DEL',KEYS[1])
  redis.call('HSET',KEYS[1],'since',ARGV[1],'heard',ARGV[2],'seen',ARGV[3])
end
redis.call('HDEL',KEYS[1],'back')
redis.call('HSET',KEYS[1],'by',ARGV[4])
redis.call('PEXPIRE',KEYS[1],ARGV[5])
redis.pcall('PUBLISH',KEYS[1],'')
return 1`
	// A return from before the user left belongs to an earlier absence: it may
	// arrive late, and must not end this one.
	backScript = `local old=tonumber(redis.call('HGET',KEYS[1],'since') or '')
if old and old>tonumber(ARGV[4]) and old<=tonumber(ARGV[6]) then return 0 end
redis.call('DEL',KEYS[1])
redis.call('HSET',KEYS[1],'since',ARGV[1],'heard',ARGV[2],'seen',ARGV[3],'back',ARGV[4])
redis.call('PEXPIRE',KEYS[1],ARGV[5])
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
	return p.sound(ctx, "mark_away", func() error {
		return p.trips.ride(ctx, absenceKey(user), func(pipe driver.Pipeliner) {
			pipe.Eval(ctx, awayScript, []string{absenceKey(user)}, micros(absence.Since), micros(absence.HeardUpTo()), string(seen), string(by), absenceFor.Milliseconds(), p.latest())
		})
	}, typed{absenceKey(user), aHash})
}

// Away returns the note on the user. One that cannot be read is none: the
// database has another.
func (p *Presence) Away(ctx context.Context, user models.UserID) (models.Absence, bool, error) {
	var note *driver.MapStringStringCmd
	err := p.sound(ctx, "away", func() error {
		return p.trips.ride(ctx, absenceKey(user), func(pipe driver.Pipeliner) { note = pipe.HGetAll(ctx, absenceKey(user)) })
	}, typed{absenceKey(user), aHash})
	if err != nil {
		return models.Absence{}, false, err
	}
	absence, noted := p.absenceOf(note.Val())
	return absence, noted, nil
}

// AwaitAway is Away of a user who has not come back: it returns when that is
// noted, and looks a last time when patience ends.
func (p *Presence) AwaitAway(ctx context.Context, user models.UserID, patience time.Duration) (absence models.Absence, noted bool, err error) {
	look := func() (bool, error) {
		absence, noted, err = p.Away(ctx, user)
		noted = noted && absence.Back.IsZero()
		return noted, err
	}
	if found, err := look(); found || err != nil {
		return absence, found, err
	}
	err = p.awaitNote(ctx, absenceKey(user), patience, look)
	return absence, noted, err
}

func (p *Presence) absenceOf(note map[string]string) (absence models.Absence, noted bool) {
	if len(note) == 0 {
		return absence, false
	}
	odd := false
	number := func(text string) time.Time {
		us, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return time.Time{}.Add(-1) // no time anybody can have noted, and not "none" either
		}
		return time.UnixMicro(us).UTC()
	}
	absence.Since = number(note["since"])
	if text, ok := note["heard"]; ok {
		absence.Heard = number(text)
	}
	if text, ok := note["back"]; ok {
		absence.Back = number(text)
	}
	var seen []any // of whatever somebody put there
	if err := json.Unmarshal([]byte(note["seen"]), &seen); err != nil {
		odd = true
	}
	for _, id := range seen {
		text, _ := id.(string)
		absence.Seen = append(absence.Seen, models.MessageID(text))
	}
	absence, left, ok := absence.Checked(p.now())
	return p.believed(absence, odd || left, ok)
}

// MarkBack notes that the first device returned, and from which absence; the
// note ends after keep.
func (p *Presence) MarkBack(ctx context.Context, user models.UserID, absence models.Absence, keep time.Duration) error {
	if keep < time.Millisecond { // nobody shares it
		return p.ask("mark_back", func() error {
			return p.trips.ride(ctx, absenceKey(user), func(pipe driver.Pipeliner) { pipe.Del(ctx, absenceKey(user)) })
		})
	}
	seen, err := json.Marshal(absence.Seen)
	if err != nil {
		return models.Internal(err)
	}
	return p.sound(ctx, "mark_back", func() error {
		return p.trips.ride(ctx, absenceKey(user), func(pipe driver.Pipeliner) {
			pipe.Eval(ctx, backScript, []string{absenceKey(user)}, micros(absence.Since), micros(absence.HeardUpTo()), string(seen), micros(absence.Back), keep.Milliseconds(), p.latest())
		})
	}, typed{absenceKey(user), aHash})
}

// ForgetAway drops the note after keep if it is still the one made on behalf of by.
func (p *Presence) ForgetAway(ctx context.Context, user models.UserID, by models.SocketID, keep time.Duration) error {
	return p.sound(ctx, "forget_away", func() error {
		return p.trips.ride(ctx, absenceKey(user), func(pipe driver.Pipeliner) {
			pipe.Eval(ctx, forgetScript, []string{absenceKey(user)}, string(by), keep.Milliseconds())
		})
	}, typed{absenceKey(user), aHash})
}

// latest is the latest time a pod can have noted.
func (p *Presence) latest() string { return micros(p.now().Add(models.ClockSkew)) }

func micros(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }
