package hub

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"parley/adapters/engineio"
	"parley/models"
)

func TestSlowClientIsCutOff(t *testing.T) {
	t.Parallel()
	p := newPod(t, func(o *Options) {
		o.MaxBacklogBytes = 256 << 10
		o.PingInterval, o.PingTimeout = 30*time.Second, 30*time.Second
	}, chat).start()
	slow, fast := p.dial(), p.dial()
	if tcp, ok := slow.raw.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4096)
	}
	slow.connect("slow")
	fast.connect("fast")
	text := strings.Repeat("x", 32<<10)
	sent := 0
	for len(p.departures()) == 0 && sent < 5000 {
		sent++
		p.s.Emit(toChat(chat), msg(chat, sent, text))
		fast.message() // it keeps up
	}
	if len(p.departures()) == 0 {
		t.Fatal("the slow client was not cut off")
	}
	d := p.departures()[0]
	if d.UserID != "slow" || d.Reason != cutSlowClient {
		t.Fatalf("departure %+v", d)
	}
	if !d.At.Before(time.Now()) || len(d.Seen) >= sent-1 {
		t.Errorf("nothing counts as unsent: at %v, seen %d of %d", d.At, len(d.Seen), sent)
	}
	if n := p.counts.get(func() int { return p.counts.cut[cutSlowClient] }); n != 1 {
		t.Errorf("%d cuts", n)
	}
	if p.s.Sockets() != 1 {
		t.Error("the fast client went too")
	}
}

func TestLargeWelcomeIsNotASlowClient(t *testing.T) {
	t.Parallel()
	p := newPod(t, func(o *Options) { slowPings(o); o.MaxBacklogBytes = 64 << 10 }, chat)
	const n = 400
	p.s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
		d.Identify("u")
		w := Welcome{UserID: "u"}
		for i := range n {
			w.Backlog = append(w.Backlog, msg(chat, i+1, strings.Repeat("y", 4<<10)))
		}
		return w, nil
	})
	p.start()
	c := p.dial()
	c.connect("u")
	for range n {
		c.message()
	}
	p.s.index.mu.Lock()
	var session *engineio.Session
	for _, m := range p.s.index.members {
		session = m.session
	}
	p.s.index.mu.Unlock()
	if session == nil {
		t.Fatalf("it is gone: %+v", p.departures())
	}
	eventually(t, "the books balance", func() bool { return session.Buffered() == 0 && len(session.Pending()) == 0 })
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	var passed atomic.Int64
	now := func() time.Time { return begun.Add(time.Duration(passed.Load())) }
	p := newPod(t, func(o *Options) { o.PingInterval, o.Now = 100*time.Millisecond, now }, chat)
	p.s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
		d.Identify("u")
		return Welcome{UserID: "u", ExpiresAt: begun.Add(time.Minute)}, nil
	})
	p.start()
	c := p.dial()
	c.connect("u")
	passed.Store(int64(time.Minute))
	_ = c.ended()
	eventually(t, "departure", func() bool { return len(p.departures()) == 1 })
	if d := p.departures()[0]; d.Reason != cutTokenExpired {
		t.Errorf("departure %+v", d)
	}
}

// Years after 2262 are no number of nanoseconds.
func TestFarExpiryIsFar(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]time.Time{
		"2263":                     time.Date(2263, 1, 1, 0, 0, 0, 0, time.UTC),
		"9999":                     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		"milliseconds for seconds": time.Unix(time.Now().UnixMilli(), 0),
		"all an int64 holds":       time.Unix(1<<62, 0),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, nil, chat)
			p.s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
				d.Identify("u")
				return Welcome{UserID: "u", ExpiresAt: at}, nil
			})
			p.start()
			p.dial().connect("u")
			p.s.expire(time.Now())
			if n := p.counts.get(func() int { return p.counts.cut[cutTokenExpired] }); n != 0 {
				t.Errorf("%d cuts", n)
			}
		})
	}
}

func TestPingTimeout(t *testing.T) {
	t.Parallel()
	p := newPod(t, func(o *Options) { o.PingInterval, o.PingTimeout = 100*time.Millisecond, 300*time.Millisecond }, chat).start()
	c := p.dial()
	c.connect("u")
	heard := time.Now()
	for { // never answers a ping
		if _, _, err := c.conn.ReadMessage(); err != nil {
			break
		}
	}
	eventually(t, "departure", func() bool { return len(p.departures()) == 1 })
	d := p.departures()[0]
	if d.Reason != reasonPing || d.At.After(heard.Add(200*time.Millisecond)) {
		t.Errorf("departure %+v, last heard %v", d, heard)
	}
}

func TestIdleConnectionsEnd(t *testing.T) {
	t.Parallel()
	p := newPod(t, func(o *Options) { o.ConnectTimeout = 100 * time.Millisecond; o.PingInterval = 200 * time.Millisecond }, chat).start()
	c := p.dial()
	_ = c.ended()
	eventually(t, "the cut to be counted", func() bool { return p.counts.get(func() int { return p.counts.cut[cutIdle] }) == 1 })
}

func TestEvents(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat)
	block := make(chan struct{})
	p.s.On("echo", func(_ context.Context, s *Socket, args []any) any {
		return map[string]any{"user": s.UserID(), "args": args}
	})
	p.s.On("silent", func(context.Context, *Socket, []any) any { return nil })
	p.s.On("panic", func(context.Context, *Socket, []any) any { panic("boom") })
	p.s.On("block", func(context.Context, *Socket, []any) any { <-block; return nil })
	p.s.On("twice", func(_ context.Context, s *Socket, _ []any) any {
		return []bool{s.Allow("x", 0.001, 1), s.Allow("x", 0.001, 1)}
	})
	p.start()
	c := p.dial()
	c.connect("u")
	for _, tc := range []struct{ send, want string }{
		{`421["echo",1,"a"]`, `431[{"args":[1,"a"],"user":"u"}]`},
		{`422["silent"]`, `432[]`},
		{`423["twice"]`, `433[[true,false]]`},
	} {
		c.send(tc.send)
		if got := c.next(); got != tc.want {
			t.Errorf("%s answered %s", tc.send, got)
		}
	}
	c.send(`424["panic"]`)
	eventually(t, "panic counted", func() bool { return p.counts.get(func() int { return p.counts.panicked }) == 1 })
	for range maxEvents + 2 {
		if c.conn.WriteMessage(1, []byte(`42["block"]`)) != nil {
			break
		}
	}
	_ = c.ended()
	close(block)
	eventually(t, "the cut to be counted", func() bool { return p.counts.get(func() int { return p.counts.cut[cutEventFlood] }) == 1 })
}

func TestDispatchAndCORS(t *testing.T) {
	t.Parallel()
	plain := newPod(t, nil, chat).start()
	if code, body := get(t, plain.http.URL+"/socket.io/nothing.js"); code != 404 || !strings.Contains(body, `"code":"not_found"`) {
		t.Errorf("file: %d %s", code, body)
	}
	if code, body := get(t, plain.http.URL+"/socket.io/?EIO=4&transport=abc"); code != 400 || body != `{"code":0,"message":"Transport unknown"}` {
		t.Errorf("transport: %d %s", code, body)
	}
	if code, body := get(t, plain.http.URL+"/socket.io/?EIO=3&transport=polling"); code != 400 || !strings.Contains(body, `"code":5`) {
		t.Errorf("version: %d %s", code, body)
	}
	exact := newPod(t, func(o *Options) { o.CORSOrigins = []string{"https://app"} }, chat).start()
	star := newPod(t, func(o *Options) { o.CORSOrigins = []string{"*"} }, chat).start()
	for _, tc := range []struct {
		p              *pod
		origin, credit string
	}{{plain, "", ""}, {star, "*", ""}, {exact, "", "true"}} {
		req, _ := http.NewRequest(http.MethodGet, tc.p.http.URL+"/socket.io/?EIO=4&transport=polling", nil)
		req.Header.Set("Origin", "https://else")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if o, c := res.Header.Get("Access-Control-Allow-Origin"), res.Header.Get("Access-Control-Allow-Credentials"); o != tc.origin || c != tc.credit {
			t.Errorf("origin %q credentials %q, want %q %q", o, c, tc.origin, tc.credit)
		}
		// As with Node, CORS is no affair of WebSockets.
		if _, err := dialWS(tc.p.http.URL, http.Header{"Origin": {"https://else"}}); err != nil {
			t.Errorf("websocket of another origin: %v", err)
		}
	}
	if _, err := New(Options{Encode: encode, CORSOrigins: []string{"*", "https://app"}}); err == nil {
		t.Error("* beside an origin was accepted")
	}
}

// However many there are, they do not take all the time a pod has to stop.
func TestDrainInTime(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat).start()
	for i := range 20 {
		p.dial().connect(fmt.Sprint(i))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	p.s.Drain(ctx, 1, 200*time.Millisecond)
	if ctx.Err() != nil {
		t.Error("it took all there was")
	}
	eventually(t, "all to be gone", func() bool { return p.s.Sockets() == 0 })
}

func TestDrainAndClose(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat).start()
	var all []*client
	for i := range 10 {
		c := p.dial()
		c.connect(fmt.Sprint(i))
		all = append(all, c)
	}
	late := p.dial()
	p.s.noMore()
	late.send(`40{"token":"u"}`)
	late.endedSilently(p, cutShuttingDown)
	// Who comes now finds no way in, and waits longer each time it tries; opened
	// and closed again, stock clients would begin to count anew.
	if _, err := dialWS(p.http.URL, nil); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a new connection: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p.s.Drain(ctx, 3, time.Millisecond)
	for _, c := range all {
		_ = c.ended()
	}
	if err := p.s.Close(ctx); err != nil {
		t.Error(err)
	}
	if n := len(p.departures()); n != 10 {
		t.Errorf("%d departures", n)
	}
	if code, _ := get(t, p.http.URL+"/socket.io/?EIO=4&transport=polling"); code != http.StatusServiceUnavailable {
		t.Errorf("after close: %d", code)
	}
}

// Who is sent off has had what it was sent where it answers the goodbye; of one
// whose connection broke unnoticed nobody knows more than when it was heard last.
func TestWhoIsSentOffSaysWhetherItIsThere(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat).start()
	there, gone := p.dial(), p.dial()
	there.connect("there")
	gone.connect("gone") // and reads nothing any more
	heard := time.Now()
	p.s.Emit(toChat(chat), msg(chat, 1, "hello"))
	if there.message() != "hello" {
		t.Fatal("not told")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p.s.Drain(ctx, 2, time.Millisecond)
	_ = there.ended() // which answers the goodbye
	eventually(t, "departures", func() bool { return len(p.departures()) == 2 })
	for _, d := range p.departures() {
		switch saw := len(d.Seen) == 1; d.UserID {
		case "there":
			if !saw || d.Unread != 0 {
				t.Errorf("the one that is there: %+v", d)
			}
		default:
			if saw || d.Unread != 1 || d.At.After(heard) {
				t.Errorf("the one that is gone: %+v", d)
			}
		}
	}
}

// Clients that come and go in every way leave nothing behind.
func TestChurnLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	p := newPod(t, func(o *Options) { o.PingInterval, o.PingTimeout = 500*time.Millisecond, 3*time.Second }, chat)
	var mu sync.Mutex
	in, out := map[models.SocketID]int{}, map[models.SocketID]int{}
	p.s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
		d.Identify("u")
		d.Enter([]models.ChatID{chat})
		mu.Lock()
		in[d.SocketID()]++
		mu.Unlock()
		return Welcome{UserID: "u"}, nil
	})
	p.s.OnDisconnect(func(_ context.Context, d models.Departure) {
		mu.Lock()
		out[d.SocketID]++
		mu.Unlock()
	})
	if err := p.s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: p.s.Handler()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	url := "http://" + l.Addr().String()
	work := make(chan int)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for i := range work {
				c, err := dialWS(url, nil)
				if err != nil {
					t.Error(err)
					continue
				}
				say := func(f string) { _ = c.conn.WriteMessage(websocket.TextMessage, []byte(f)) }
				say(`40{"token":"u"}`)
				switch i % 4 {
				case 0: // gone before it is let in
					c.reset()
				case 1:
					_, _ = c.read()
					c.reset()
				case 2:
					_, _ = c.read()
					say("41")
					_ = c.conn.Close()
				case 3:
					_, _ = c.read()
					p.s.Emit(toChat(chat), msg(chat, i, "x"))
					_ = c.conn.Close()
				}
			}
		})
	}
	for i := range 300 {
		work <- i
	}
	close(work)
	wg.Wait()
	stay, err := dialWS(url, nil) // one is there to the end
	if err != nil {
		t.Fatal(err)
	}
	stay.t = t
	stay.connect("u")
	poll := make(chan error, 1)
	go func() { poll <- pollUntilClosed(url) }()
	eventually(t, "the poller polls", func() bool {
		return slices.ContainsFunc(p.s.io.Sessions(), func(s *engineio.Session) bool {
			return s.Transport() == engineio.Polling && s.Writable()
		})
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.s.Close(ctx); err != nil {
		t.Error(err)
	}
	if err := <-poll; err != nil {
		t.Error(err)
	}
	_ = srv.Shutdown(ctx)
	_ = stay.conn.Close()
	http.DefaultClient.CloseIdleConnections()
	mu.Lock()
	if len(in) != len(out) {
		t.Errorf("%d came, %d left", len(in), len(out))
	}
	for id, n := range out {
		if n != 1 || in[id] != 1 {
			t.Errorf("%s came %d times and left %d times", id, in[id], n)
		}
	}
	mu.Unlock()
	deadline := time.Now().Add(patience)
	for runtime.NumGoroutine() > before+1 {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// pollUntilClosed connects by polling and polls until it is told to go.
func pollUntilClosed(base string) error {
	url := base + "/socket.io/?EIO=4&transport=polling"
	body, err := fetch(http.MethodGet, url, "")
	if err != nil {
		return err
	}
	url += "&sid=" + between(body, `"sid":"`, `"`)
	if _, err := fetch(http.MethodPost, url, `40{"token":"u"}`); err != nil {
		return err
	}
	for {
		body, err := fetch(http.MethodGet, url, "")
		if err != nil && (strings.Contains(err.Error(), "shutting_down") || strings.Contains(err.Error(), "Session ID unknown")) {
			return nil // it was between two polls
		}
		if err != nil {
			return err
		}
		if strings.HasSuffix(body, "\x1e1") || body == "1" {
			return nil
		}
		if body == "2" {
			if _, err := fetch(http.MethodPost, url, "3"); err != nil {
				return err
			}
		}
	}
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

func fetch(method, url, body string) (string, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %d %s", method, body, res.StatusCode, b)
	}
	return string(b), err
}

// Whoever sent connect may come to nothing else for a while.
func TestWhoAnswersConnectAtOnceIsHeard(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat)
	p.s.On("echo", func(context.Context, *Socket, []any) any { return nil })
	p.start()
	c := p.dial()
	c.connect("u")
	c.send(`421["echo"]`)
	if got := c.next(); got != "431[]" {
		t.Errorf("answered %q", got)
	}
	q := p.poller()
	q.connect()
	q.post(`421["echo"]`)
	if got := q.poll(); got != "431[]" {
		t.Errorf("polling: answered %q", got)
	}
}
