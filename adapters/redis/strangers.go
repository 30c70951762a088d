package redis

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

const (
	strangersKey = "parley:strangers" // string: the pod that looks for strangers
	// A stranger is asked about several times before it goes, one that was
	// answered for much less often: an answer carries all a pod knows of a socket.
	strangerLooks = 4
	strangerTrust = 5
	// What one round may cost the other pods, and this one.
	maxAsked      = 1000
	askedAtOnce   = 100
	maxStrangers  = 1 << 16
	minLook       = 250 * time.Millisecond
	strangerLease = 10 * time.Second
)

// StrangersOptions say how Strangers are found and what becomes of them.
type StrangersOptions struct {
	Client driver.UniversalClient
	PodID  string
	// TTL is how long an id may go without any pod's answering for it.
	TTL time.Duration
	// Own says whether this pod has the socket, whatever Redis says.
	Own func(models.SocketID) bool
	// Answered asks every other pod which of the sockets it has. It fails where
	// not all of them answered: then nothing is known.
	Answered func(ctx context.Context, sockets []models.SocketID) ([]models.SocketID, error)
	// OnGone is told of each that was taken out, by the one pod that did it; left
	// is how many sockets its user has after it.
	OnGone  func(ctx context.Context, gone models.Stranger, left int)
	Logger  *slog.Logger
	Metrics Metrics
	Now     func() time.Time
}

// Strangers cleans up after those who cannot do it themselves and have no lease
// that would end: it takes ids out of users' sets that are in no Parley pod's
// books, such as those of a Node pod that was killed. Whose they are only the
// pods know, so all are asked, again and again; one that is slow, or cannot be
// asked, keeps everything as it is. One pod does it for all.
type Strangers struct {
	o    StrangersOptions
	each func(ctx context.Context, fn func(context.Context, driver.Cmdable) error) error

	known map[models.SocketID]*stranger
}

type stranger struct {
	models.Stranger
	since time.Time // unanswered since then; zero: it was answered for, or not asked about
	asked time.Time
	round int // when it was last found in a set
}

// NewStrangers makes Strangers; nothing happens before Run.
func NewStrangers(o StrangersOptions) *Strangers {
	o.Logger, o.Metrics = orQuiet(o.Logger, o.Metrics)
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Strangers{o: o, each: onEach(o.Client), known: map[models.SocketID]*stranger{}}
}

// Run looks until the context ends. A round that fails is made again.
func (s *Strangers) Run(ctx context.Context) error {
	ticker := time.NewTicker(max(s.o.TTL/strangerLooks, minLook))
	defer ticker.Stop()
	for round := 1; ; round++ {
		if err := s.round(ctx, round); err != nil && ctx.Err() == nil {
			s.o.Logger.Debug("looking for strangers broke off", "error", err)
		}
		select {
		case <-ctx.Done():
			s.release()
			return nil
		case <-ticker.C:
		}
	}
}

func (s *Strangers) round(ctx context.Context, round int) error {
	if mine, err := s.claim(ctx); err != nil || !mine {
		clear(s.known) // whoever looks now begins anew, and so does this pod after it
		return err
	}
	if err := s.find(ctx, round); err != nil {
		return err
	}
	for id, st := range s.known {
		if st.round != round {
			delete(s.known, id)
		}
	}
	for batch := range slices.Chunk(s.due(), askedAtOnce) {
		if mine, err := s.claim(ctx); err != nil || !mine {
			return err
		}
		if err := s.ask(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// claim says whether this pod is the one that looks, for a while.
func (s *Strangers) claim(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, censusCall)
	defer cancel()
	lease := 2*max(s.o.TTL/strangerLooks, minLook) + strangerLease
	err := s.o.Client.SetArgs(ctx, strangersKey, s.o.PodID, driver.SetArgs{Mode: "NX", TTL: lease}).Err()
	if err == nil {
		return true, nil
	}
	n, err := s.o.Client.Eval(ctx, holdScript, []string{strangersKey}, s.o.PodID, lease.Milliseconds()).Int()
	if err != nil {
		if isWrongType(err) {
			_, err = dropOdd(ctx, s.o.Client, typed{strangersKey, aString})
		}
		return false, err
	}
	return n == 1, nil
}

// A key without an end would keep everybody out: somebody else wrote it.
const (
	holdScript = `if redis.call('GET',KEYS[1])==ARGV[1] then return redis.call('PEXPIRE',KEYS[1],ARGV[2]) end
if redis.call('PTTL',KEYS[1])==-1 then redis.call('DEL',KEYS[1]) end
return 0`
	releaseScript = `if redis.call('GET',KEYS[1])==ARGV[1] then redis.call('DEL',KEYS[1]) end return 0`
)

// release lets another pod look at once.
func (s *Strangers) release() {
	ctx, cancel := context.WithTimeout(context.Background(), censusCall)
	defer cancel()
	if err := s.o.Client.Eval(ctx, releaseScript, []string{strangersKey}, s.o.PodID).Err(); err != nil {
		s.o.Logger.Debug("the search for strangers was not given up", "error", err) // it ends by itself
	}
}

// find notes who is in a set and in nobody's books.
func (s *Strangers) find(ctx context.Context, round int) error {
	var mu sync.Mutex // nodes of a cluster are walked at once
	return s.each(ctx, func(ctx context.Context, node driver.Cmdable) error {
		return walkSets(ctx, node, func(keys []string) error {
			found, err := s.strangersIn(ctx, node, keys)
			mu.Lock()
			defer mu.Unlock()
			for _, f := range found {
				st := s.known[f.SocketID]
				switch {
				case st != nil && st.UserID == f.UserID:
					st.round = round
				case len(s.known) < maxStrangers:
					s.known[f.SocketID] = &stranger{Stranger: f, round: round}
				}
			}
			return err
		})
	})
}

func (s *Strangers) strangersIn(ctx context.Context, node driver.Cmdable, keys []string) ([]models.Stranger, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, censusCall)
	defer cancel()
	sets, sockets, err := membersOf(ctx, node, keys)
	if err != nil {
		return nil, err
	}
	ours, err := booked(ctx, s.o.Client, sockets)
	if err != nil {
		return nil, err
	}
	var found []models.Stranger
	for i, key := range keys {
		user, ok := userIn(key)
		if !ok || userKey(user) != key {
			continue // nobody's: no user of Parley's is taken for online by it
		}
		for _, id := range sets[i] {
			if !ours[id] && !s.o.Own(models.SocketID(id)) {
				found = append(found, models.Stranger{UserID: user, SocketID: models.SocketID(id)})
			}
		}
	}
	return found, nil
}

// due are those to be asked about now: who went unanswered first, then who was
// never asked about, then who was answered for long ago.
func (s *Strangers) due() []*stranger {
	long := s.o.Now().Add(-strangerTrust * s.o.TTL)
	var due []*stranger
	for _, st := range s.known {
		if !st.since.IsZero() || st.asked.IsZero() || st.asked.Before(long) {
			due = append(due, st)
		}
	}
	rank := func(st *stranger) int {
		switch {
		case !st.since.IsZero():
			return 0
		case st.asked.IsZero():
			return 1
		}
		return 2
	}
	slices.SortFunc(due, func(a, b *stranger) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return a.asked.Compare(b.asked)
	})
	return due[:min(len(due), maxAsked)]
}

// ask asks about some, and takes those out that went unanswered for too long.
func (s *Strangers) ask(ctx context.Context, batch []*stranger) error {
	at := s.o.Now() // before anybody answers
	ids := make([]models.SocketID, len(batch))
	for i, st := range batch {
		ids[i] = st.SocketID
	}
	answered, err := s.o.Answered(ctx, ids)
	if err != nil {
		for _, st := range batch {
			st.since, st.asked = time.Time{}, time.Time{} // begin anew: somebody may have it who did not say so
		}
		return err
	}
	for _, st := range batch {
		again := !st.since.IsZero()
		st.asked = at
		switch {
		case slices.Contains(answered, st.SocketID):
			st.Answered, st.since = at, time.Time{}
		case !again:
			st.since = at
		case at.Sub(st.since) >= s.o.TTL:
			if err := s.remove(ctx, st); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Strangers) remove(ctx context.Context, st *stranger) error {
	bounded, cancel := context.WithTimeout(ctx, censusCall)
	defer cancel()
	answer, err := s.o.Client.Eval(bounded, removeScript, []string{userKey(st.UserID)}, string(st.SocketID)).Int64Slice()
	if err != nil {
		return models.Unavailable("Redis", err)
	}
	delete(s.known, st.SocketID)
	if len(answer) != 2 || answer[0] == 0 {
		return nil
	}
	s.o.Metrics.StrangersRemoved(1)
	s.o.Logger.Warn("presence: a socket that no pod has was taken out", "user", st.UserID, "socket", st.SocketID, "last_answered", st.Answered)
	if s.o.OnGone != nil {
		told, done := context.WithTimeout(context.WithoutCancel(ctx), callbackTimeout)
		defer done()
		s.o.OnGone(told, st.Stranger, int(answer[1]))
	}
	return nil
}
