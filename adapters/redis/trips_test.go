package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	driver "github.com/redis/go-redis/v9"
)

// watched counts round trips, and holds the first until it is let go.
type watched struct {
	mu    sync.Mutex
	trips [][]string // the commands of each, by their second words
	held  chan struct{}
}

func (w *watched) DialHook(next driver.DialHook) driver.DialHook          { return next }
func (w *watched) ProcessHook(next driver.ProcessHook) driver.ProcessHook { return next }

func (w *watched) ProcessPipelineHook(next driver.ProcessPipelineHook) driver.ProcessPipelineHook {
	return func(ctx context.Context, commands []driver.Cmder) error {
		if commands[0].Name() == "client" { // of a new connection, about itself
			return next(ctx, commands)
		}
		var keys []string
		for _, c := range commands {
			keys = append(keys, fmt.Sprint(c.Args()[1]))
		}
		w.mu.Lock()
		w.trips = append(w.trips, keys)
		first := len(w.trips) == 1
		w.mu.Unlock()
		if first {
			<-w.held
		}
		return next(ctx, commands)
	}
}

func watch(client driver.UniversalClient) *watched {
	w := &watched{held: make(chan struct{})}
	client.AddHook(w)
	return w
}

func (t *trips) waiting() (n int) {
	for i := range t.lanes {
		t.lanes[i].mu.Lock()
		n += len(t.lanes[i].waiting)
		t.lanes[i].mu.Unlock()
	}
	return n
}

// Who comes while a trip is under way goes with the next, in the order in which
// they came, and so many at a time.
func TestTripsAreShared(t *testing.T) {
	t.Parallel()
	const many = 2*maxRiders + 10
	client := open(t, startServer(t).url())
	w := watch(client)
	shared := newTrips(client)
	key := func(i int) string { return fmt.Sprintf("key-%04d", i) }
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			var n *driver.IntCmd
			if err := shared.ride(t.Context(), key(i), func(pipe driver.Pipeliner) { n = pipe.IncrBy(t.Context(), key(i), int64(i)) }); err != nil || n.Val() != int64(i) {
				t.Errorf("%d: %v, %v", i, n, err)
			}
		})
		// One after the other, so that it is known who came first.
		await(t, "it to wait", func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return len(w.trips) == 1 && shared.waiting() == i
		})
	}
	close(w.held)
	all.Wait()
	if len(w.trips) != 4 {
		var sizes []int
		for _, keys := range w.trips {
			sizes = append(sizes, len(keys))
		}
		t.Fatalf("%d asked in %d trips: %v", many, len(w.trips), sizes)
	}
	if keys := slices.Concat(w.trips...); !slices.IsSorted(keys) {
		t.Errorf("not in the order in which they came: %v", keys)
	}
}

// What one asks for in vain is no business of those who go with it, and who gave
// up before does not go at all.
func TestTripsKeepThemApart(t *testing.T) {
	t.Parallel()
	client := open(t, startServer(t).url())
	ctx := t.Context()
	if err := client.Set(ctx, "odd", "text", 0).Err(); err != nil {
		t.Fatal(err)
	}
	w := watch(client)
	shared := newTrips(client)
	ask := func(ctx context.Context, key string) <-chan error {
		answer := make(chan error, 1)
		before := shared.waiting()
		go func() {
			answer <- shared.ride(ctx, key, func(pipe driver.Pipeliner) { pipe.Get(ctx, "nothing"); pipe.SAdd(ctx, key, 1) })
		}()
		await(t, "it to be under way, or to wait", func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return len(w.trips) == 1 && (key == "first" || shared.waiting() > before)
		})
		return answer
	}
	first := ask(ctx, "first")
	good, odd := ask(ctx, "good"), ask(ctx, "odd")
	given, giveUp := context.WithCancel(ctx)
	gone := ask(given, "gone")
	last := ask(ctx, "last")
	giveUp()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up was told %v", err)
	}
	close(w.held)
	if err := <-odd; !isWrongType(err) {
		t.Errorf("odd: %v", err)
	}
	for _, answer := range []<-chan error{first, good, last} {
		if err := <-answer; err != nil {
			t.Error(err)
		}
	}
	if keys := slices.Concat(w.trips...); slices.Contains(keys, "gone") {
		t.Errorf("what nobody waited for was done: %v", keys)
	}
}

// A crowd that comes and goes costs a few round trips, not some for each.
func TestACrowdComesAndGoesInAFewTrips(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) *server{
		"redis":   func(t *testing.T) *server { return startServer(t) },
		"cluster": startCluster,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := start(t).url()
			if name == "cluster" {
				url += "?cluster=true"
			}
			client := open(t, url)
			p := newPod(t, client, "crowded")
			calls := countTrips(client)
			const many = 500
			crowd := func(what string, most int, fn func(ctx context.Context, i int) error) {
				before := calls()
				var all sync.WaitGroup
				for i := range many {
					all.Go(func() {
						if err := fn(context.Background(), i); err != nil {
							t.Errorf("%s: %v", what, err)
						}
					})
				}
				all.Wait()
				if n := calls() - before; n > most {
					t.Errorf("%s: %d sockets in %d trips", what, many, n)
				}
			}
			few := many / 5
			if name == "cluster" {
				few = many
			}
			crowd("come", few, func(ctx context.Context, i int) error {
				_, err := p.Add(ctx, userName(i), socketName(i))
				return err
			})
			crowd("go", few, func(ctx context.Context, i int) error {
				removed, left, err := p.Remove(ctx, userName(i), socketName(i), time.Time{})
				if !removed || left != 0 {
					t.Errorf("%d: removed %v, left %d", i, removed, left)
				}
				return err
			})
		})
	}
}

// countTrips counts what is sent to a server by itself, a pipeline once, each as
// slow as over a network.
func countTrips(client driver.UniversalClient) func() int {
	c := &slowly{}
	client.AddHook(c)
	return func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.n
	}
}

type slowly struct {
	mu sync.Mutex
	n  int
}

func (c *slowly) trip() {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	time.Sleep(20 * time.Millisecond)
}

func (c *slowly) DialHook(next driver.DialHook) driver.DialHook { return next }

func (c *slowly) ProcessHook(next driver.ProcessHook) driver.ProcessHook {
	return func(ctx context.Context, command driver.Cmder) error {
		c.trip()
		return next(ctx, command)
	}
}

func (c *slowly) ProcessPipelineHook(next driver.ProcessPipelineHook) driver.ProcessPipelineHook {
	return func(ctx context.Context, commands []driver.Cmder) error {
		c.trip()
		return next(ctx, commands)
	}
}

func TestSlots(t *testing.T) {
	t.Parallel()
	client := open(t, startCluster(t).url())
	for _, key := range []string{"", "123456789", "user:665f:sockets", "parley:pod:a", "a{b}c", "{}x", "x{y", "ä{}{b}"} {
		want, err := client.ClusterKeySlot(t.Context(), key).Result()
		if err != nil || int64(slot(key)) != want {
			t.Errorf("%q: %d, want %d, %v", key, slot(key), want, err)
		}
	}
}
