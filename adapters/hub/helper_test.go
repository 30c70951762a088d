package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"parley/adapters/cluster"
	"parley/adapters/js"
	"parley/models"
)

const patience = 20 * time.Second

// counts is a Metrics that can be asked.
type counts struct {
	mu        sync.Mutex
	opened    int
	closed    map[string]int
	refused   map[string]int
	waiting   int
	retries   map[string]int
	cut       map[string]int
	delivered int
	duplicate int
	panicked  int
}

func newCounts() *counts {
	return &counts{closed: map[string]int{}, refused: map[string]int{}, cut: map[string]int{}, retries: map[string]int{}}
}
func (c *counts) do(fn func())          { c.mu.Lock(); defer c.mu.Unlock(); fn() }
func (c *counts) SocketOpened()         { c.do(func() { c.opened++ }) }
func (c *counts) SocketClosed(r string) { c.do(func() { c.closed[r]++ }) }
func (c *counts) Refused(r string)      { c.do(func() { c.refused[r]++ }) }
func (c *counts) Waiting(n int)         { c.do(func() { c.waiting += n }) }
func (c *counts) NotLetIn(r string)     { c.do(func() { c.retries[r]++ }) }
func (c *counts) Cut(r string)          { c.do(func() { c.cut[r]++ }) }
func (c *counts) Delivered(n int)       { c.do(func() { c.delivered += n }) }
func (c *counts) Duplicate()            { c.do(func() { c.duplicate++ }) }
func (c *counts) Panicked()             { c.do(func() { c.panicked++ }) }
func (c *counts) get(fn func() int) int { c.mu.Lock(); defer c.mu.Unlock(); return fn() }

func encode(ev models.Event) (string, any) {
	switch e := ev.(type) {
	case models.NewMessage:
		return "new_message", map[string]any{"_id": string(e.Message.ID), "chatId": string(e.Message.ChatID), "content": e.Message.Text}
	case models.Typing:
		return "typing", map[string]any{"chatId": string(e.ChatID)}
	case models.UserOnline:
		return "user_online", map[string]any{"userId": string(e.UserID)}
	}
	panic(fmt.Sprintf("unknown event %T", ev))
}

func messageID(event string, args []any) (models.MessageID, bool) {
	if event != "new_message" || len(args) == 0 {
		return "", false
	}
	m, ok := js.Fields(args[0])
	if !ok {
		return "", false
	}
	id, ok := m["_id"].(string)
	return models.MessageID(id), ok
}

// pod is a Server behind a real listener.
type pod struct {
	t      testing.TB
	s      *Server
	http   *httptest.Server
	counts *counts
	mu     sync.Mutex
	left   []models.Departure
}

// newPod makes a pod whose OnConnect takes the token as user and enters room.
func newPod(t testing.TB, change func(*Options), room models.ChatID) *pod {
	t.Helper()
	p := &pod{t: t, counts: newCounts()}
	o := Options{
		PingInterval: time.Second, PingTimeout: 10 * time.Second, HandshakeTimeout: 3 * time.Second,
		Encode: encode, MessageID: messageID, Metrics: p.counts, Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	p.s = s
	s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
		token, ok := d.Token()
		if !ok {
			return Welcome{}, models.Refuse(models.CodeTokenMissing, "a token is needed")
		}
		user := models.UserID(fmt.Sprint(token))
		d.Identify(user)
		d.Enter([]models.ChatID{room})
		return Welcome{UserID: user}, nil
	})
	s.OnDisconnect(func(_ context.Context, d models.Departure) {
		p.mu.Lock()
		p.left = append(p.left, d)
		p.mu.Unlock()
	})
	return p
}

func (p *pod) start() *pod {
	p.t.Helper()
	if err := p.s.Start(context.Background()); err != nil {
		p.t.Fatal(err)
	}
	p.http = httptest.NewServer(p.s.Handler())
	p.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.s.Close(ctx); err != nil {
			p.t.Errorf("close: %v", err)
		}
		p.http.Close()
	})
	return p
}

func (p *pod) departures() []models.Departure {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]models.Departure{}, p.left...)
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// client speaks Socket.IO over a raw WebSocket.
type client struct {
	t    testing.TB
	conn *websocket.Conn
	raw  net.Conn
}

func (p *pod) dial() *client {
	p.t.Helper()
	c, err := dialWS(p.http.URL, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	c.t = p.t
	p.t.Cleanup(c.close) // a client nobody holds would be closed by its finalizer
	return c
}

func dialWS(url string, header http.Header) (*client, error) {
	conn, res, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http")+"/socket.io/?EIO=4&transport=websocket", header)
	if err != nil {
		if res != nil {
			return nil, fmt.Errorf("status %d: %w", res.StatusCode, err)
		}
		return nil, err
	}
	c := &client{conn: conn, raw: conn.NetConn()}
	open, err := c.read()
	if err != nil || !strings.HasPrefix(open, "0{") {
		return nil, fmt.Errorf("open: %q %v", open, err)
	}
	return c, nil
}

// read returns the next frame that is not a ping, which it answers.
func (c *client) read() (string, error) {
	for {
		_ = c.conn.SetReadDeadline(time.Now().Add(patience))
		_, b, err := c.conn.ReadMessage()
		if err != nil {
			return "", err
		}
		if string(b) == "2" {
			_ = c.conn.WriteMessage(websocket.TextMessage, []byte("3"))
			continue
		}
		return string(b), nil
	}
}

func (c *client) send(frame string) {
	c.t.Helper()
	if err := c.conn.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) next() string {
	c.t.Helper()
	f, err := c.read()
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return f
}

// connect sends a CONNECT and returns the socket's id.
func (c *client) connect(token string) (id string) {
	c.t.Helper()
	c.send(fmt.Sprintf(`40{"token":%q}`, token))
	f := c.next()
	var got struct{ Sid string }
	if !strings.HasPrefix(f, "40") || json.Unmarshal([]byte(f[2:]), &got) != nil || got.Sid == "" {
		c.t.Fatalf("connect answered %q", f)
	}
	return got.Sid
}

// message returns the text of the next new_message.
func (c *client) message() string {
	c.t.Helper()
	f := c.next()
	text, ok := textOf(f)
	if !ok {
		c.t.Fatalf("not a new_message: %q", f)
	}
	return text
}

func textOf(f string) (string, bool) {
	var ev []json.RawMessage
	if !strings.HasPrefix(f, "42") || json.Unmarshal([]byte(f[2:]), &ev) != nil || len(ev) != 2 {
		return "", false
	}
	var m struct{ Content string }
	if string(ev[0]) != `"new_message"` || json.Unmarshal(ev[1], &m) != nil {
		return "", false
	}
	return m.Content, true
}

func (c *client) close() { _ = c.conn.Close() }

// reset ends the connection without a goodbye.
func (c *client) reset() {
	if tcp, ok := c.raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.raw.Close()
}

func (c *client) ended() error {
	for {
		if _, err := c.read(); err != nil {
			return err
		}
	}
}

// endedSilently wants the connection closed for the reason, without any word
// that a stock client would take for the last.
func (c *client) endedSilently(p *pod, reason string) {
	c.t.Helper()
	f, err := c.read()
	if err == nil {
		c.t.Fatalf("told %q", f)
	}
	eventually(c.t, "the cut to be counted as "+reason, func() bool { return p.counts.get(func() int { return p.counts.cut[reason] }) > 0 })
}

func msg(chat models.ChatID, id int, text string) models.NewMessage {
	return models.NewMessage{Message: models.Message{
		ID: models.MessageID(fmt.Sprintf("%024x", id)), ChatID: chat, Text: text, CreatedAt: time.Now(),
	}}
}

func toChat(c models.ChatID) models.Audience { return models.Audience{Chats: []models.ChatID{c}} }

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// fakeBus joins Servers of one process. Calls arrive in order.
type fakeBus struct {
	hub   *fakeHub
	local cluster.Local
	fail  error
}

type fakeHub struct {
	mu   sync.Mutex
	pods []*fakeBus
	log  []cluster.Options
	asks []cluster.Options // for sockets
}

func (h *fakeHub) bus() *fakeBus { return &fakeBus{hub: h} }

func (b *fakeBus) others(fn func(cluster.Local)) {
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	for _, o := range b.hub.pods {
		if o != b {
			fn(o.local)
		}
	}
}

func (b *fakeBus) Start(_ context.Context, l cluster.Local) error {
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	b.local = l
	b.hub.pods = append(b.hub.pods, b)
	return nil
}
func (b *fakeBus) Close(context.Context) error { return nil }
func (b *fakeBus) Ready() error                { return b.fail }
func (b *fakeBus) Flush(context.Context) error { return b.fail }
func (b *fakeBus) Broadcast(p cluster.Packet, o cluster.Options) {
	b.hub.mu.Lock()
	b.hub.log = append(b.hub.log, o)
	b.hub.mu.Unlock()
	b.others(func(l cluster.Local) { l.Broadcast(p, o) })
}
func (b *fakeBus) Join(o cluster.Options, r []string) {
	b.others(func(l cluster.Local) { l.Join(o, r) })
}
func (b *fakeBus) Leave(o cluster.Options, r []string) {
	b.others(func(l cluster.Local) { l.Leave(o, r) })
}
func (b *fakeBus) Disconnect(o cluster.Options, c bool) {
	b.others(func(l cluster.Local) { l.Disconnect(o, c) })
}
func (b *fakeBus) BroadcastWithAck(p cluster.Packet, o cluster.Options, n func(int), ack func([]any)) {
	b.others(func(l cluster.Local) { l.BroadcastWithAck(p, o, n, ack) })
}
func (b *fakeBus) Sockets(ctx context.Context, o cluster.Options) (all []cluster.Socket, err error) {
	b.hub.mu.Lock()
	b.hub.asks = append(b.hub.asks, o)
	b.hub.mu.Unlock()
	answers := make(chan []cluster.Socket, 8)
	n := 0
	b.others(func(l cluster.Local) { n++; l.Sockets(o, func(a []cluster.Socket) { answers <- a }) })
	for range n {
		select {
		case a := <-answers:
			all = append(all, a...)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return all, b.fail
}
func (b *fakeBus) CatchUp(context.Context) error { return nil }
func (b *fakeBus) Settled(context.Context) error { return b.fail }
func (b *fakeBus) Rooms(context.Context) (all []string, err error) {
	b.others(func(l cluster.Local) { all = append(all, l.Rooms()...) })
	return all, nil
}
func (b *fakeBus) ServerSideEmit(_ context.Context, args []any, ack func([]any, error)) {
	if ack == nil {
		b.others(func(l cluster.Local) { l.ServerSideEmit(args, nil) })
		return
	}
	answers := make(chan any, 8)
	n := 0
	b.others(func(l cluster.Local) { n++; l.ServerSideEmit(args, func(a any) { answers <- a }) })
	var all []any
	for range n {
		all = append(all, <-answers)
	}
	ack(all, nil)
}
func (b *fakeBus) Pods(context.Context) (int, error) {
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	return len(b.hub.pods), nil
}
