package redis

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	driver "github.com/redis/go-redis/v9"
)

const (
	// maxRiders is how many go in one round trip.
	maxRiders = 256
	// clusterLanes is into how many lanes the slots of a cluster are parted: who
	// rides in one goes, by and large, to one node, and does not wait for another
	// that is away.
	clusterLanes = 16
	clusterSlots = 16384
)

// trips makes one round trip of what many ask of Redis at the same time: what
// came while the one before was under way. Nothing waits for others to come: a
// lone question goes at once. What one asks for stays together and in order, and
// so does what is asked one after the other about the same key.
type trips struct {
	client driver.UniversalClient
	lanes  []lane
}

// lane is where one trip is under way at a time.
type lane struct {
	mu      sync.Mutex
	running bool
	waiting []*rider
}

// rider is what one asks for.
type rider struct {
	ctx   context.Context //nolint:containedctx // of who waits for the answer
	board func(driver.Pipeliner)
	done  chan struct{}
	err   error
}

func newTrips(client driver.UniversalClient) *trips {
	n := 1
	if _, clustered := client.(*driver.ClusterClient); clustered {
		n = clusterLanes
	}
	return &trips{client: client, lanes: make([]lane, n)}
}

// ride sends the commands that board puts into a pipeline and returns once they
// are answered, or ctx ends; then they may or may not be done, now or a little
// later. Their answers are good where there is no error, and belong to board
// until then. key is one of theirs.
func (t *trips) ride(ctx context.Context, key string, board func(driver.Pipeliner)) error {
	l := t.lane(key)
	l.mu.Lock()
	if !l.running {
		l.running = true
		l.mu.Unlock()
		return t.alone(ctx, l, board)
	}
	mine := &rider{ctx: ctx, board: board, done: make(chan struct{})}
	l.waiting = append(l.waiting, mine)
	l.mu.Unlock()
	select {
	case <-mine.done:
		return mine.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// alone is a trip of one, within its own ctx. Who came meanwhile goes next.
func (t *trips) alone(ctx context.Context, l *lane, board func(driver.Pipeliner)) error {
	defer func() {
		if all := l.next(); all != nil {
			go t.run(l, all) // ends when nobody waits; each trip has the client's patience
		}
	}()
	pipe := t.client.Pipeline()
	board(pipe)
	answers, err := pipe.Exec(ctx)
	return cmp.Or(failure(answers), whole(answers, err))
}

// next takes those who go next; nil where nobody waits, and then none is under way.
func (l *lane) next() []*rider {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = slices.DeleteFunc(l.waiting, func(r *rider) bool { return r.ctx.Err() != nil })
	n := min(len(l.waiting), maxRiders)
	if n == 0 {
		l.running = false
		return nil
	}
	all := slices.Clone(l.waiting[:n])
	l.waiting = slices.Delete(l.waiting, 0, n)
	return all
}

func (t *trips) run(l *lane, all []*rider) {
	for ; all != nil; all = l.next() {
		pipe := t.client.Pipeline()
		ends := make([]int, len(all))
		for i, r := range all {
			r.board(pipe)
			ends[i] = pipe.Len()
		}
		// Nobody's giving up is a reason for the others to go without.
		answers, err := pipe.Exec(context.WithoutCancel(all[0].ctx))
		err = whole(answers, err)
		from := 0
		for i, r := range all {
			r.err = cmp.Or(failure(answers[from:ends[i]]), err)
			from = ends[i]
			close(r.done)
		}
	}
}

// failure is what the first of the commands that failed failed by. That there is
// nothing is an answer.
func failure(answers []driver.Cmder) error {
	for _, c := range answers {
		if err := c.Err(); err != nil && !errors.Is(err, driver.Nil) {
			return err
		}
	}
	return nil
}

// whole is what a trip failed by as a whole; nil where it is one command's alone.
func whole(answers []driver.Cmder, err error) error {
	if errors.Is(err, driver.Nil) || failure(answers) != nil {
		return nil
	}
	return err
}

func (t *trips) lane(key string) *lane {
	if len(t.lanes) == 1 {
		return &t.lanes[0]
	}
	return &t.lanes[slot(key)*len(t.lanes)/clusterSlots]
}

// slot is a key's slot in a cluster: CRC16 (XMODEM) of the key, or of its hash tag.
func slot(key string) int {
	if _, behind, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(behind, "}"); ok && tag != "" {
			key = tag
		}
	}
	crc := uint16(0)
	for i := range len(key) {
		crc ^= uint16(key[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % clusterSlots
}

// step is commands about one key, or about several where it does not matter which
// of them are done first.
type step struct {
	key   string
	board func(driver.Pipeliner)
}

// inOrder does the steps one after the other, in one trip where that keeps them
// in order: where a pipeline is several connections, it does not.
func (p *Presence) inOrder(ctx context.Context, steps ...step) error {
	if !p.clustered {
		return p.trips.ride(ctx, steps[0].key, func(pipe driver.Pipeliner) {
			for _, s := range steps {
				s.board(pipe)
			}
		})
	}
	for _, s := range steps {
		if err := p.trips.ride(ctx, s.key, s.board); err != nil {
			return err
		}
	}
	return nil
}
