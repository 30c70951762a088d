package redis

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

// testTTL is short, and long enough for a busy machine: a refresh each 0.5 s.
const testTTL = 3 * time.Second

func open(t *testing.T, url string) driver.UniversalClient {
	t.Helper()
	// More patient than the server: what is slow here is the machine, and calls
	// that must not wait have deadlines.
	c, err := Open(Options{URL: url, Patience: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// told collects what the callbacks say.
type told struct {
	mu       sync.Mutex
	reaped   []departed
	late     []departed
	restored []models.SocketID
	others   []int
}

type departed struct {
	models.Departure
	left int
}

func (c *told) callbacks() Callbacks {
	return Callbacks{
		OnReaped: func(_ context.Context, d models.Departure, left int) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.reaped = append(c.reaped, departed{d, left})
		},
		OnLate: func(_ context.Context, d models.Departure, left int) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.late = append(c.late, departed{d, left})
		},
		OnRestored: func(_ context.Context, _ models.UserID, socket models.SocketID, others int) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.restored = append(c.restored, socket)
			c.others = append(c.others, others)
		},
	}
}

func (c *told) counts() (reaped, late, restored int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.reaped), len(c.late), len(c.restored)
}

// pod is a Presence that runs.
type pod struct {
	*Presence
	told *told
	stop func() // ends Run without Close: what kill -9 leaves behind
}

func newPod(t *testing.T, client driver.UniversalClient, id string) *pod {
	t.Helper()
	c := &told{}
	p, err := NewPresence(PresenceOptions{Client: client, PodID: id, TTL: testTTL, Callbacks: c.callbacks(), Metrics: &tally{}})
	if err != nil {
		t.Fatal(err)
	}
	return &pod{Presence: p, told: c}
}

func startPod(t *testing.T, client driver.UniversalClient, id string) *pod {
	t.Helper()
	p := newPod(t, client, id)
	p.run(t)
	await(t, id+" to be listed", func() bool { return client.ZScore(context.Background(), "parley:pods", id).Err() == nil })
	return p
}

func (p *pod) run(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	var once sync.Once
	p.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(p.stop)
}

func (p *pod) mustAdd(t *testing.T, user models.UserID, sockets ...models.SocketID) {
	t.Helper()
	for _, s := range sockets {
		if _, err := p.Add(context.Background(), user, s); err != nil {
			t.Fatal(err)
		}
	}
}

func members(t *testing.T, c driver.UniversalClient, user models.UserID) []string {
	t.Helper()
	m, err := c.SMembers(context.Background(), "user:"+string(user)+":sockets").Result()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(m)
	return m
}

// tally counts what was dropped.
type tally struct {
	noMetrics
	mu      sync.Mutex
	dropped map[string]int
}

func (c *tally) Dropped(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dropped == nil {
		c.dropped = map[string]int{}
	}
	c.dropped[reason]++
}

func (c *tally) of(reason string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped[reason]
}

func messageID(n int) models.MessageID { return models.MessageID(fmt.Sprintf("%024x", n)) }

func socketName(i int) models.SocketID { return models.SocketID("socket-" + strconv.Itoa(i)) }
func userName(i int) models.UserID     { return models.UserID(fmt.Sprintf("user-%d", i)) }

// The driver says on stderr what the tests do to it on purpose.
func TestMain(m *testing.M) {
	RouteDriverLog(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}
