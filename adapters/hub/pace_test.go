package hub

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// inTurn lets so many take a step each and says in which order, and how long
// all of it took.
func inTurn(t *testing.T, p *pace, n int) (order []int, took time.Duration) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	start := time.Now()
	for i := range n {
		all.Go(func() {
			if err := p.step(t.Context()); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			order = append(order, i)
		})
		synctest.Wait() // they come one after the other
	}
	all.Wait()
	return order, time.Since(start)
}

func TestPace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		busy func() bool
		n    int
		want time.Duration
	}{
		"nobody is held up while processors are free": {func() bool { return false }, 10, 0},
		"who comes waits until one is":                {func() func() bool { n := 0; return func() bool { n++; return n <= 2 } }(), 3, 2 * breath},
		"not for one that is never free":              {func() bool { return true }, 10, 10 * longestRest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				order, took := inTurn(t, &pace{line: newPlaces(1), busy: c.busy}, c.n)
				if took != c.want || !slices.IsSorted(order) {
					t.Errorf("%v in the order %v, want %v in order", took, order, c.want)
				}
			})
		})
	}
}

// However many they are, and however busy the processors, a crowd gets in.
func TestPaceOfACrowd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, took := inTurn(t, &pace{line: newPlaces(1), busy: func() bool { return true }}, 6000)
		if most := 12 * time.Second; took > most { // 24 s, if all held back as long
			t.Errorf("6,000 took %v, want %v at most", took, most)
		}
	})
}

func TestPaceWithoutPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &pace{line: newPlaces(1), busy: func() bool { return true }}
		ctx, cancel := context.WithTimeout(t.Context(), breath/2)
		defer cancel()
		if err := p.step(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("step: %v, want that the time is over", err)
		}
		if _, took := inTurn(t, p, 1); took != longestRest {
			t.Errorf("the next took %v, want its own %v", took, longestRest)
		}
	})
}

// Who comes holds back; what is sent to those who are connected does not.
func TestWhoComesHoldsBack(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, "c")
	var coming, beginning atomic.Int32
	asked := func(n *atomic.Int32) func() bool { return func() bool { n.Add(1); return false } }
	p.s.coming.busy, p.s.beginning.busy = asked(&coming), asked(&beginning)
	p.start()
	c := p.dial()
	c.connect("u")
	if a, b := coming.Load(), beginning.Load(); a != 1 || b != 1 {
		t.Errorf("a connection and its socket held back %d and %d times, want once each", a, b)
	}
	p.s.Emit(toChat("c"), msg("c", 1, "x"))
	c.message()
	if a, b := coming.Load(), beginning.Load(); a != 1 || b != 1 {
		t.Errorf("with a message to it it is %d and %d times", a, b)
	}
}

// One that asks for a socket waits once: as its connection begins, or, where that
// asked for something else first, as it asks.
func TestWhoseTurnItIs(t *testing.T) {
	t.Parallel()
	waited := false
	s := newPod(t, func(o *Options) { o.Waited = func(context.Context) bool { return waited } }, "c").s
	steps := 0
	s.coming.busy = func() bool { steps++; return false }
	for first, want := range map[string]bool{
		"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n": true,
		"GET /socket.io/":  true,
		"GET /socket.iota": false, "POST /socket.io/?EIO=4": false, "POST /api/messages": false, "GET /": false, "GE": false, "": false,
	} {
		steps = 0
		if got := s.Turn([]byte(first)); got != want || (steps == 1) != want {
			t.Errorf("%q: waited %v, in %d steps, want %v", first, got, steps, want)
		}
	}
	for _, waited = range []bool{true, false} {
		steps = 0
		if err := s.comes(httptest.NewRequest(http.MethodGet, "/socket.io/", nil)); err != nil || (steps == 1) == waited {
			t.Errorf("a request whose connection has waited, %v: %d steps, %v", waited, steps, err)
		}
	}
}
