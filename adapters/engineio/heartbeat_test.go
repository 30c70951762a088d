package engineio

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

// pipes is a listener whose connections are in memory, so that a synctest bubble
// knows when all of them wait. They are no TCP: this tests the fallback as well.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p *pipes) dial(string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours, nil
}

// inBubble runs fn against an engine whose time is fake.
func inBubble(t *testing.T, o Options, fn func(t *testing.T, g *rig, dial func(query string) *websocket.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		g := &rig{t: t, tally: newTally(), h: handler{message: echoes}, opened: make(chan *Session, 10), ended: make(chan ending, 10), busy: map[*Session]string{}}
		o.Metrics = g.tally
		engine, err := New(o, g)
		if err != nil {
			t.Fatal(err)
		}
		g.engine = engine
		listener := newPipes()
		server := &http.Server{Handler: engine}
		go func() { _ = server.Serve(listener) }()
		defer server.Close()
		defer engine.Close()
		fn(t, g, func(query string) *websocket.Conn {
			d := websocket.Dialer{NetDial: listener.dial}
			c, _, err := d.Dial("ws://pipe/engine.io/?"+query, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			if _, b, err := c.ReadMessage(); err != nil || b[0] != '0' {
				t.Fatal(string(b), err)
			}
			return c
		})
	})
}

var beats = Options{PingInterval: 25 * time.Second, PingTimeout: 20 * time.Second, AllowEIO3: true}

// at says how long ago from was, on the second.
func at(t *testing.T, from time.Time, want time.Duration) {
	t.Helper()
	if took := time.Since(from); took < want || took > want+time.Millisecond {
		t.Fatalf("after %v, not %v", took, want)
	}
}

func TestPingsAndPongs(t *testing.T) {
	inBubble(t, beats, func(t *testing.T, g *rig, dial func(string) *websocket.Conn) {
		c := dial(v4ws)
		s := g.session()
		for range 5 {
			from := time.Now()
			hears(t, c, "2")
			at(t, from, 25*time.Second)
			time.Sleep(19 * time.Second)
			says(t, c, "3")
			synctest.Wait()
			if time.Since(s.LastHeard()) != 0 {
				t.Fatal(s.LastHeard())
			}
		}
	})
}

func TestSilence(t *testing.T) {
	inBubble(t, beats, func(t *testing.T, g *rig, dial func(string) *websocket.Conn) {
		from := time.Now()
		c := dial(v4ws)
		hears(t, c, "2")
		closes(t, c, websocket.CloseNoStatusReceived)
		at(t, from, 45*time.Second)
		g.endsWith(PingTimeout)
	})
}

// What else a client says while a pong is due gives it its time once more, once.
func TestSomethingElseThanThePong(t *testing.T) {
	inBubble(t, beats, func(t *testing.T, g *rig, dial func(string) *websocket.Conn) {
		c := dial(v4ws)
		says(t, c, "3") // asked for by nobody, it is no answer to the ping to come
		from := time.Now()
		hears(t, c, "2")
		for range 3 {
			time.Sleep(6 * time.Second)
			says(t, c, "4x")
			hears(t, c, "4x")
		}
		closes(t, c, websocket.CloseNoStatusReceived)
		at(t, from, 25*time.Second+6*time.Second+20*time.Second)
		g.endsWith(PingTimeout)
	})
}

func TestPingOnDemand(t *testing.T) {
	inBubble(t, beats, func(t *testing.T, g *rig, dial func(string) *websocket.Conn) {
		c := dial(v4ws)
		s := g.session()
		from := time.Now()
		for range 2 {
			if !s.Ping() {
				t.Fatal("not asked")
			}
		}
		hears(t, c, "2")
		says(t, c, "3")
		hears(t, c, "2") // the interval begins with the pong; there was one ping
		at(t, from, 25*time.Second)
		closes(t, c, websocket.CloseNoStatusReceived)
		at(t, from, 45*time.Second)
		g.endsWith(PingTimeout)
		old := dial(v3ws)
		if g.session().Ping() {
			t.Fatal("with protocol 3 the client asks")
		}
		old.Close()
	})
}

// Who asks is told of the next thing the client says, whatever it is, once; with
// the ping that is under way, if there is one.
func TestAsking(t *testing.T) {
	inBubble(t, beats, func(t *testing.T, g *rig, dial func(string) *websocket.Conn) {
		c := dial(v4ws)
		s := g.session()
		told := 0
		asks := func() {
			t.Helper()
			if !s.Ask(func() { told++ }) {
				t.Fatal("not asked")
			}
		}
		answers := func(want int, say func()) {
			t.Helper()
			synctest.Wait()
			if told != want-2 {
				t.Fatalf("told %d times of nothing", told)
			}
			for range 2 {
				say()
				synctest.Wait()
				if told != want {
					t.Fatalf("told %d times, not %d", told, want)
				}
			}
		}
		asks()
		asks()
		hears(t, c, "2") // there is one ping
		answers(2, func() { says(t, c, "3") })
		asks()
		asks()
		hears(t, c, "2")
		answers(4, func() { says(t, c, "4x"); hears(t, c, "4x") })
		asks() // the pong is still due, and nothing more rings for another message
		asks()
		answers(6, func() { says(t, c, "4x"); hears(t, c, "4x") })
		asks()
		asks()
		answers(8, func() {
			if err := c.WriteControl(websocket.PongMessage, nil, time.Time{}); err != nil {
				t.Fatal(err)
			}
		})
		old := dial(v3ws)
		if g.session().Ask(func() { told++ }) {
			t.Fatal("with protocol 3 the client asks")
		}
		says(t, old, "2")
		hears(t, old, "3")
		if old.Close(); told != 8 {
			t.Fatal("told of a client that was not asked")
		}
	})
}

func TestSilenceOfProtocol3(t *testing.T) {
	inBubble(t, beats, func(t *testing.T, g *rig, dial func(string) *websocket.Conn) {
		c := dial(v3ws)
		for range 4 {
			time.Sleep(44 * time.Second)
			says(t, c, "2")
			hears(t, c, "3")
		}
		time.Sleep(10 * time.Second)
		says(t, c, "4x") // no ping
		hears(t, c, "4x")
		from := time.Now()
		closes(t, c, websocket.CloseNoStatusReceived)
		at(t, from, 35*time.Second)
		g.endsWith(PingTimeout)
	})
}

// What is due together comes together, and an orderly close at the same moment
// ends the session once.
func TestDrainAndPingTimeoutAtOnce(t *testing.T) {
	o := beats
	o.CloseTimeout = 20 * time.Second
	inBubble(t, o, func(t *testing.T, g *rig, dial func(string) *websocket.Conn) {
		const n = 5
		for range n {
			dial(v4ws) // reads nothing more: the pipe takes no ping
			s := g.session()
			time.AfterFunc(25*time.Second, func() {
				s.Push(NewFrame([]byte("stuck"), false))
				s.Close()
			})
		}
		from := time.Now()
		for range n {
			e := <-g.ended
			if e.reason != PingTimeout && e.reason != ForcedClose || len(e.unsent) != 1 {
				t.Fatal(e.reason, texts(e.unsent))
			}
		}
		if took := time.Since(from); took < 45*time.Second || took > 45*time.Second+goodbyeTime {
			t.Fatal("after", took)
		}
		synctest.Wait()
		if len(g.ended) > 0 || g.engine.Len() > 0 {
			t.Fatal("ended twice, or not at all")
		}
	})
}

func TestPollingHeartbeats(t *testing.T) {
	g := start(t, Options{PingInterval: 50 * time.Millisecond, PingTimeout: 300 * time.Millisecond}, handler{})
	p := g.poll(v4)
	for range 3 {
		p.gets(200, "2")
		p.say("3")
	}
	p.gets(200, "2")
	p.gets(200, "1") // the poll is not left hanging
	g.endsWith(PingTimeout)
	p.gone()
}

func TestTimetable(t *testing.T) {
	now := time.Duration(0)
	table := newTimetable(func() time.Duration { return now })
	var rung []string
	ring := func(a *alarm) { rung = append(rung, a.session.id) }
	short, long := table.list(10, ring), table.list(100, ring)
	alarms := map[string]*alarm{}
	for _, id := range []string{"a", "b", "c", "d"} {
		alarms[id] = &alarm{session: &Session{id: id}}
		table.set(alarms[id], short)
		now++
	}
	table.set(alarms["b"], short) // later than d now
	table.set(alarms["c"], long)  // elsewhere
	table.cancel(alarms["d"])     // never
	table.cancel(alarms["d"])     // twice is fine
	table.set(alarms["a"], short) // the first of all, set anew
	table.set(&alarm{session: &Session{id: "e"}}, short)
	for now < 200 {
		if a, ring, wait := table.next(); a == nil {
			now += min(wait, 200)
		} else {
			ring(a)
		}
	}
	if fmt.Sprint(rung) != "[b a e c]" || table.isSet(alarms["a"]) {
		t.Fatal(rung)
	}
}
