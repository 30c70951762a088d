package engineio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

const patience = 10 * time.Second // for what is due at once, on a busy machine

// handler is a Handler of functions; nil ones do nothing.
type handler struct {
	open    func(*Session)
	message func(*Session, []byte, bool)
	close   func(*Session, Reason, error)
}

func (h handler) Open(s *Session) {
	if h.open != nil {
		h.open(s)
	}
}

func (h handler) Message(s *Session, data []byte, binary bool) {
	if h.message != nil {
		h.message(s, data, binary)
	}
}

func (h handler) Close(s *Session, reason Reason, err error) {
	if h.close != nil {
		h.close(s, reason, err)
	}
}

func echoes(s *Session, data []byte, binary bool) {
	s.Push(NewFrame(data, binary))
	s.Flush()
}

type ending struct {
	session *Session
	reason  Reason
	err     error
	unsent  []*Frame
}

// rig is an engine behind a real HTTP server. Its handler checks the order it is
// called in, and hands on to h.
type rig struct {
	t      testing.TB
	engine *Server
	http   *httptest.Server
	h      handler
	tally  *tally
	opened chan *Session
	ended  chan ending

	mu   sync.Mutex
	busy map[*Session]string
}

func start(t testing.TB, o Options, h handler) *rig {
	t.Helper()
	return startOn(t, o, h, nil)
}

// startOn serves on what wrap makes of a TCP listener.
func startOn(t testing.TB, o Options, h handler, wrap func(net.Listener) net.Listener) *rig {
	t.Helper()
	g := &rig{t: t, h: h, tally: newTally(), opened: make(chan *Session, 20_000), ended: make(chan ending, 20_000), busy: map[*Session]string{}}
	if o.Metrics == nil {
		o.Metrics = g.tally
	}
	engine, err := New(o, g)
	if err != nil {
		t.Fatal(err)
	}
	g.engine = engine
	g.http = httptest.NewUnstartedServer(engine)
	if wrap != nil {
		g.http.Listener = wrap(g.http.Listener)
	}
	g.http.Start()
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
		g.http.Close()
	})
	return g
}

// turn notes that the handler works for s; two at a time are an error.
func (g *rig) turn(s *Session, in string) func() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if at, ok := g.busy[s]; ok && (at != "" || in == "Open") {
		g.t.Errorf("%s during %q", in, at)
	} else if !ok && in != "Open" {
		g.t.Errorf("%s before Open or after Close", in)
	}
	g.busy[s] = in
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.busy[s] = ""; in == "Close" {
			delete(g.busy, s)
		}
	}
}

func (g *rig) Open(s *Session) {
	defer g.turn(s, "Open")()
	defer func() { g.opened <- s }()
	g.h.Open(s)
}

func (g *rig) Message(s *Session, data []byte, binary bool) {
	defer g.turn(s, "Message")()
	g.h.Message(s, data, binary)
}

func (g *rig) Close(s *Session, reason Reason, err error) {
	defer g.turn(s, "Close")()
	g.h.Close(s, reason, err)
	g.ended <- ending{s, reason, err, s.Unsent()}
}

// session is the next that was opened.
func (g *rig) session() *Session { g.t.Helper(); return receive(g.t, g.opened, "a session") }

// end is the next session that ended.
func (g *rig) end() ending { g.t.Helper(); return receive(g.t, g.ended, "the end of a session") }

func (g *rig) endsWith(reason Reason) ending {
	g.t.Helper()
	e := g.end()
	if e.reason != reason {
		g.t.Fatalf("the session ended with %q (%v), not %q", e.reason, e.err, reason)
	}
	return e
}

func receive[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

// eventually is for what nobody tells about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// tally is Metrics that count.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func newTally() *tally { return &tally{counts: map[string]int{}} }

func (c *tally) add(what string) { c.mu.Lock(); c.counts[what]++; c.mu.Unlock() }
func (c *tally) of(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[what]
}

func (c *tally) Opened(protocol int, transport string) { c.add("opened " + transport) }
func (c *tally) Upgraded()                             { c.add("upgraded") }
func (c *tally) UpgradeFailed(r Reason)                { c.add(string(r)) }
func (c *tally) Closed(r Reason)                       { c.add("closed " + string(r)) }
func (c *tally) Refused(code int)                      { c.add("refused") }
func (c *tally) Panicked()                             { c.add("panic") }

// answer is that to a polling request.
type answer struct {
	status int
	body   string
	header http.Header
	err    error
}

func (g *rig) request(method, query, body string, header ...string) answer {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return g.ask(ctx, method, query, strings.NewReader(body), header...)
}

func (g *rig) ask(ctx context.Context, method, query string, body io.Reader, header ...string) answer {
	r, err := http.NewRequestWithContext(ctx, method, g.http.URL+"/engine.io/?"+query, body)
	if err != nil {
		return answer{err: err}
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	// A connection of its own: what is cut is not tried again.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	res, err := client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, string(b), res.Header, err}
}

// poller is a client that polls.
type poller struct {
	*rig
	sid, query string
	session    *Session
}

const v4, v3 = "EIO=4&transport=polling", "EIO=3&transport=polling"

func (g *rig) poll(query string) *poller {
	g.t.Helper()
	res := g.request("GET", query, "")
	at := strings.IndexByte(res.body, '{')
	if res.status != 200 || at < 0 {
		g.t.Fatalf("no session: %+v", res)
	}
	var hello struct{ SID string }
	if err := json.Unmarshal([]byte(res.body[at:]), &hello); err != nil {
		g.t.Fatal(err)
	}
	return &poller{g, hello.SID, query + "&sid=" + hello.SID, g.session()}
}

func (p *poller) get() answer { p.t.Helper(); return p.request("GET", p.query, "") }

func (p *poller) gets(status int, body string) {
	p.t.Helper()
	if res := p.get(); res.status != status || res.body != body {
		p.t.Fatalf("the poll was answered %d %q (%v), not %d %q", res.status, res.body, res.err, status, body)
	}
}

// getting begins a poll, which is known to wait when it returns.
func (p *poller) getting() <-chan answer {
	p.t.Helper()
	done := make(chan answer, 1)
	go func() { done <- p.request("GET", p.query, "") }()
	p.waits()
	return done
}

func (p *poller) waits() {
	p.t.Helper()
	eventually(p.t, "the poll waits", func() bool {
		p.session.mu.Lock()
		defer p.session.mu.Unlock()
		return p.session.poll != nil && p.session.poll.waiting != nil
	})
}

func (p *poller) say(body string, header ...string) {
	p.t.Helper()
	if res := p.request("POST", p.query, body, header...); res.status != 200 || res.body != "ok" {
		p.t.Fatalf("the post was answered %d %q (%v)", res.status, res.body, res.err)
	}
}

const unknown = `{"code":1,"message":"Session ID unknown"}`

func (p *poller) gone() { p.t.Helper(); p.gets(400, unknown) }

func (g *rig) ws(query string) string {
	return "ws" + strings.TrimPrefix(g.http.URL, "http") + "/engine.io/?" + query
}

const v4ws, v3ws = "EIO=4&transport=websocket", "EIO=3&transport=websocket"

// dial opens a WebSocket with gorilla; its open packet has been read.
func (g *rig) dial(query string) (*websocket.Conn, *Session) {
	g.t.Helper()
	c := g.dialOnly(query)
	if _, b, err := c.ReadMessage(); err != nil || b[0] != '0' {
		g.t.Fatalf("no open packet: %q, %v", b, err)
	}
	return c, g.session()
}

func (g *rig) dialOnly(query string) *websocket.Conn {
	g.t.Helper()
	c, res, err := websocket.DefaultDialer.Dial(g.ws(query), nil)
	if err != nil {
		g.t.Fatalf("%v, %v", err, res)
	}
	g.t.Cleanup(func() { c.Close() })
	_ = c.SetReadDeadline(time.Now().Add(patience))
	return c
}

func says(t testing.TB, c *websocket.Conn, text string) {
	t.Helper()
	if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func hears(t testing.TB, c *websocket.Conn, text string) {
	t.Helper()
	kind, b, err := c.ReadMessage()
	if err != nil || kind != websocket.TextMessage || string(b) != text {
		t.Fatalf("got %d %.100q, %v, not %.100q", kind, b, err, text)
	}
}

// closes says that the server ends the WebSocket with the code.
func closes(t testing.TB, c *websocket.Conn, code int) {
	t.Helper()
	for {
		_, _, err := c.ReadMessage()
		var end *websocket.CloseError
		if errors.As(err, &end) {
			if end.Code != code {
				t.Fatalf("closed with %d, not %d", end.Code, code)
			}
			return
		}
		if err != nil {
			t.Fatalf("no close frame: %v", err)
		}
	}
}

func repeat(n int) string { return strings.Repeat("x", n) }

func texts(frames []*Frame) []string {
	var all []string
	for _, f := range frames {
		all = append(all, string(bytes.TrimPrefix(f.payload(), []byte("4"))))
	}
	return all
}
