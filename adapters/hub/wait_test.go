package hub

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"parley/models"
)

// What is our fault is not the client's affair: it sees connect, later.
func TestTroubleOfOursIsWaitedOut(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat)
	p.s.opts.HandshakeTimeout = 50 * time.Millisecond
	var asked, tries atomic.Int32
	other := models.ChatID("aaaaaaaaaaaaaaaaaaaaaaaa")
	p.s.OnAuthenticate(func(context.Context, *Door) (models.Identity, error) {
		switch asked.Add(1) {
		case 1:
			return models.Identity{}, models.Unavailable("the keys", errors.New("away"))
		case 2:
			panic("boom")
		}
		return models.Identity{UserID: "u"}, nil
	})
	p.s.OnConnect(func(ctx context.Context, d *Door) (Welcome, error) {
		n := tries.Add(1)
		if len(d.m.seats) != 1 || d.m.user != "" || d.m.resume != "" || d.m.gate.held != nil || d.m.seating.entered {
			t.Errorf("try %d begins with what an earlier one left: %+v", n, d.m.roomNames())
		}
		if kept, _ := d.Kept().(int32); kept != n-1 {
			t.Errorf("try %d was told %d", n, kept)
		}
		d.Keep(n)
		d.Identify(d.Identity().UserID)
		if n == 6 {
			d.Enter([]models.ChatID{other})
			return Welcome{UserID: "u"}, nil
		}
		d.Enter([]models.ChatID{chat})
		p.s.Emit(toChat(chat), msg(chat, int(n), "held back for nobody"))
		switch n {
		case 1:
			return Welcome{}, models.Unavailable("the database", errors.New("away"))
		case 2:
			return Welcome{}, models.Internal(errors.New("odd"))
		case 3:
			panic("boom")
		case 4:
			<-ctx.Done()
			return Welcome{}, ctx.Err()
		}
		return Welcome{}, errors.New("anything else")
	})
	p.start()
	c := p.dial()
	id := c.connect("u")
	if n := asked.Load(); n != 3 {
		t.Errorf("authenticated %d times", n)
	}
	if in := p.s.InRoom(models.SocketID(id), chat); in || !p.s.InRoom(models.SocketID(id), other) {
		t.Error("it is in the rooms of a try that failed")
	}
	p.s.Emit(toChat(other), msg(other, 99, "live"))
	if got := c.message(); got != "live" {
		t.Errorf("got %q", got)
	}
	p.counts.mu.Lock()
	defer p.counts.mu.Unlock()
	for reason, want := range map[string]int{"keys": 1, "database": 1, "internal": 4, "server": 1} {
		if got := p.counts.retries[reason]; got != want {
			t.Errorf("%d tries failed for %s, want %d: %v", got, reason, want, p.counts.retries)
		}
	}
	if len(p.counts.refused) != 0 || p.counts.panicked != 2 || p.counts.waiting != 0 {
		t.Errorf("refused %v, panicked %d, waiting %d", p.counts.refused, p.counts.panicked, p.counts.waiting)
	}
}

// For ever it does not wait, but it is never told no: only its connection ends.
func TestWhoCannotBeLetInIsCutOff(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"fails", "hangs"} {
		p := newPod(t, func(o *Options) { o.ConnectTimeout = 300 * time.Millisecond }, chat)
		var tries atomic.Int32
		p.s.OnConnect(func(ctx context.Context, d *Door) (Welcome, error) {
			tries.Add(1)
			d.Identify("u")
			if token == "hangs" {
				<-ctx.Done()
			}
			return Welcome{}, models.Unavailable("Redis", errors.New("away"))
		})
		p.start()
		c := p.dial()
		began := time.Now()
		c.send(`40{"token":"u"}`)
		c.endedSilently(p, cutUnavailable)
		if held := time.Since(began); held < 250*time.Millisecond {
			t.Errorf("%s: held for %v only", token, held)
		}
		if n := tries.Load(); token == "fails" && (n < 2 || n > 5) {
			t.Errorf("tried %d times", n)
		}
		q := &poller{t: t, url: p.http.URL + "/socket.io/?EIO=4&transport=polling"}
		body, err := fetch(http.MethodGet, q.url, "")
		if err != nil {
			t.Fatal(err)
		}
		q.url += "&sid=" + between(body, `"sid":"`, `"`)
		if _, err := fetch(http.MethodPost, q.url, `40{"token":"u"}`); err != nil {
			t.Fatal(err)
		}
		if body, _ := fetch(http.MethodGet, q.url, ""); strings.Contains(body, "44") {
			t.Errorf("%s, polling: answered %q", token, body)
		}
		eventually(t, "nobody at the door", func() bool { return p.s.Sockets() == 0 && p.s.Waiting() == 0 })
		if n := p.counts.get(func() int { return len(p.counts.refused) }); n != 0 || len(p.departures()) != 0 {
			t.Errorf("%s: %d refusals, departures %v", token, n, p.departures())
		}
	}
}

// As for one that is inside: its client comes back, and brings a new token.
func TestATokenThatEndsAtTheDoor(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat)
	p.s.OnAuthenticate(func(context.Context, *Door) (models.Identity, error) {
		return models.Identity{UserID: "u", ExpiresAt: time.Now().Add(200 * time.Millisecond)}, nil
	})
	p.s.OnConnect(func(ctx context.Context, _ *Door) (Welcome, error) {
		<-ctx.Done()
		return Welcome{}, ctx.Err()
	})
	p.start()
	c := p.dial()
	c.send(`40{"token":"u"}`)
	c.endedSilently(p, cutTokenExpired)
	eventually(t, "nobody at the door", func() bool { return p.s.Sockets() == 0 })
}

// Who goes, asks twice or is sent off while it waits is done with at once.
func TestWhoWaitsCanGo(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*pod, *client){
		"reset":  func(_ *pod, c *client) { c.reset() },
		"left":   func(_ *pod, c *client) { c.send("41"); _ = c.ended() },
		"twice":  func(_ *pod, c *client) { c.send(`40{"token":"u"}`); _ = c.ended() },
		"drain":  func(p *pod, c *client) { p.s.Drain(context.Background(), 1, 0); _ = c.ended() },
		"closed": func(p *pod, c *client) { _ = p.s.Close(context.Background()); _ = c.ended() },
	} {
		p := newPod(t, func(o *Options) { o.LetInAtOnce = 1 }, chat)
		tries := make(chan struct{}, 100)
		p.s.OnConnect(func(context.Context, *Door) (Welcome, error) {
			tries <- struct{}{}
			return Welcome{}, models.Unavailable("Redis", errors.New("away"))
		})
		p.start()
		c := p.dial()
		c.send(`40{"token":"u"}`)
		<-tries
		<-tries
		began := time.Now()
		end(p, c)
		eventually(t, name+": nobody at the door", func() bool { return p.s.Waiting() == 0 && p.s.Sockets() == 0 })
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: gone after %v", name, took)
		}
		if n := p.counts.get(func() int { return len(p.counts.refused) }); n != 0 {
			t.Errorf("%s: refused", name)
		}
	}
}

// So many are let in at once, the others in the order in which they came; their
// hearts beat meanwhile.
func TestTheLineAtTheDoor(t *testing.T) {
	t.Parallel()
	p := newPod(t, func(o *Options) { o.LetInAtOnce, o.PingInterval, o.PingTimeout = 2, 50*time.Millisecond, 5*time.Second }, chat)
	var mu sync.Mutex
	var order []string
	inside, most := 0, 0
	turn := make(chan struct{})
	p.s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
		token, _ := d.Token()
		mu.Lock()
		inside++
		most = max(most, inside)
		order = append(order, token.(string))
		mu.Unlock()
		<-turn
		mu.Lock()
		inside--
		mu.Unlock()
		return Welcome{UserID: "u"}, nil
	})
	p.start()
	var clients []*client
	for i := range 8 {
		c := p.dial()
		c.send(`40{"token":"` + string(rune('a'+i)) + `"}`)
		eventually(t, "it to wait", func() bool {
			mu.Lock()
			defer mu.Unlock()
			p.s.places.mu.Lock()
			defer p.s.places.mu.Unlock()
			return len(order)+p.s.places.queue.Len() == i+1
		})
		clients = append(clients, c)
	}
	// The last has been pinged, and answers only what it is asked.
	if _, b, err := clients[7].conn.ReadMessage(); err != nil || string(b) != "2" {
		t.Fatalf("got %q, %v", b, err)
	}
	if err := clients[7].conn.WriteMessage(websocket.TextMessage, []byte("3")); err != nil {
		t.Fatal(err)
	}
	for i := range clients {
		turn <- struct{}{}
		eventually(t, "the next to begin", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(order) == min(i+3, len(clients))
		})
	}
	for _, c := range clients {
		if f := c.next(); !strings.HasPrefix(f, "40{") {
			t.Errorf("got %q", f)
		}
	}
	slices.Sort(order[:2])
	if got := strings.Join(order, ""); most != 2 || got[:2] != "ab" || len(got) != 8 {
		t.Errorf("%d at once, in the order %s", most, got)
	}
	if !slices.IsSorted(order) {
		t.Errorf("in the order %v", order)
	}
}

// Whatever panics while it stands aside, there are as many places afterwards.
func TestAPanicAsideLeavesItsPlace(t *testing.T) {
	t.Parallel()
	p := newPod(t, func(o *Options) { o.LetInAtOnce = 1 }, chat)
	var tries atomic.Int32
	p.s.OnConnect(func(ctx context.Context, d *Door) (Welcome, error) {
		if tries.Add(1) == 1 {
			return Welcome{}, d.Aside(ctx, func() error { panic("on purpose") })
		}
		return Welcome{UserID: "u"}, nil
	})
	p.start()
	p.dial().connect("u")
	p.s.places.mu.Lock()
	defer p.s.places.mu.Unlock()
	if tries.Load() != 2 || p.s.places.free != 1 {
		t.Error(tries.Load(), "tries,", p.s.places.free, "places free of 1")
	}
}

// Who only waits for somebody keeps nobody else waiting.
func TestAside(t *testing.T) {
	t.Parallel()
	p := newPod(t, func(o *Options) { o.LetInAtOnce = 1 }, chat)
	waits, goOn := make(chan struct{}), make(chan struct{})
	p.s.OnConnect(func(ctx context.Context, d *Door) (Welcome, error) {
		if token, _ := d.Token(); token == "waits" {
			if err := d.Aside(ctx, func() error { close(waits); <-goOn; return nil }); err != nil {
				return Welcome{}, err
			}
		}
		return Welcome{UserID: "u"}, nil
	})
	p.start()
	first, second := p.dial(), p.dial()
	first.send(`40{"token":"waits"}`)
	<-waits
	second.connect("another")
	close(goOn)
	if f := first.next(); !strings.HasPrefix(f, "40{") {
		t.Errorf("got %q", f)
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	p := newPlaces(1)
	ctx := context.Background()
	if err := p.take(ctx, false); err != nil {
		t.Fatal(err)
	}
	var order []string
	var done sync.WaitGroup
	var mu sync.Mutex
	line := func(name string, goingOn bool, length func() int) {
		p.mu.Lock()
		before := length()
		p.mu.Unlock()
		done.Go(func() {
			if err := p.take(ctx, goingOn); err != nil {
				t.Error(err)
			}
			mu.Lock()
			order = append(order, name)
			mu.Unlock()
			p.give()
		})
		eventually(t, name+" to stand in line", func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return length() > before
		})
	}
	line("new", false, func() int { return p.queue.Len() })
	gone, cancel := context.WithCancel(ctx)
	done.Go(func() {
		if p.take(gone, false) == nil {
			t.Error("one that has gone got a place")
		}
	})
	line("newer", false, func() int { return p.queue.Len() })
	line("goes on", true, func() int { return p.back.Len() })
	cancel()
	p.force() // one too many: the next to give gives it up
	p.give()
	eventually(t, "who has gone to be out of the line", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.queue.Len() == 2 && p.free == 0
	})
	p.give()
	done.Wait()
	if got := strings.Join(order, ", "); got != "goes on, new, newer" || p.free != 1 {
		t.Errorf("%s; %d free", got, p.free)
	}
}
