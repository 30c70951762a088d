package middleware

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"parley/models"
)

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Unix(1_700_000_000, 0)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func TestRateLimiter(t *testing.T) {
	t.Parallel()
	clock := newClock()
	l := NewRateLimiter(10, 3, clock.now)
	take := func(user models.UserID, want bool) {
		t.Helper()
		if wait, ok := l.Allow(user); ok != want || !ok && (wait <= 0 || wait > 100*time.Millisecond) {
			t.Errorf("%s: %v, wait %s", user, ok, wait)
		}
	}
	for range 3 {
		take("alice", true)
	}
	take("alice", false)
	take("bob", true) // not alice's concern
	clock.pass(99 * time.Millisecond)
	take("alice", false)
	clock.pass(time.Millisecond)
	take("alice", true)
	take("alice", false)
	wait, _ := l.Allow("alice")
	clock.pass(wait)
	take("alice", true) // who waits as told gets in
}

func TestRateLimiterForgetsTheIdle(t *testing.T) {
	t.Parallel()
	clock := newClock()
	l := NewRateLimiter(10, 20, clock.now)
	for i := range 50 {
		l.Allow(models.UserID(fmt.Sprint("user", i)))
	}
	if n := len(l.users); n != 50 {
		t.Fatalf("%d users remembered, want 50", n)
	}
	clock.pass(time.Second) // every bucket is full again
	for range 30 {
		l.Allow("alice")
	}
	if n, m := len(l.users), l.order.Len(); n != 1 || m != 1 {
		t.Errorf("%d users, %d in order, want alice alone", n, m)
	}
	if _, ok := l.Allow("alice"); ok {
		t.Error("alice was forgotten while over her limit")
	}
}

func TestRateLimiterIsBounded(t *testing.T) {
	t.Parallel()
	l := NewRateLimiter(1, 1, newClock().now)
	l.most = 5
	for i := range 20 {
		l.Allow("alice") // used all the time, so never the one to go
		l.Allow(models.UserID(fmt.Sprint("user", i)))
	}
	if len(l.users) != 5 || l.order.Len() != 5 {
		t.Errorf("%d users, %d in order, want 5", len(l.users), l.order.Len())
	}
	if _, ok := l.Allow("alice"); ok {
		t.Error("alice got a fresh bucket")
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	r := gin.New()
	reached := 0
	r.GET("/", RequireUser(tokens{}, fail), RateLimit(NewRateLimiter(2, 2, newClock().now), fail), func(c *gin.Context) { reached++ })
	for range 2 {
		if rec := serve(r, "GET", "/", "Authorization", "Bearer good"); rec.Code != 200 {
			t.Errorf("within the rate: %d", rec.Code)
		}
	}
	rec := serve(r, "GET", "/", "Authorization", "Bearer good")
	if rec.Code != 429 || rec.Header().Get("Retry-After") != "500ms" || reached != 2 {
		t.Errorf("beyond: %d, Retry-After %q, %d reached", rec.Code, rec.Header().Get("Retry-After"), reached)
	}
}

func TestRateLimiterFromManyGoroutines(t *testing.T) {
	t.Parallel()
	l := NewRateLimiter(1, 100, newClock().now)
	var mu sync.Mutex
	var wg sync.WaitGroup
	allowed := 0
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if _, ok := l.Allow("alice"); ok {
					mu.Lock()
					allowed++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if allowed != 100 {
		t.Errorf("%d allowed, want 100", allowed)
	}
}
