package socketio

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley/adapters/engineio"
)

// Handlers that do not block keep the order of all events, and need no
// goroutine.
func TestInlineHandlersKeepTheOrder(t *testing.T) {
	release := make(chan struct{})
	_, url := serve(t, Options{}, func(io *Server) {
		main := io.Of("/")
		main.OnInline("quick", func(_ *Socket, e *Event) { e.Ack(e.Args...) })
		main.On("slow", func(_ *Socket, e *Event) { <-release; e.Ack("slow") })
		main.OnInline("more", func(s *Socket, e *Event) {
			s.Do(func() { s.Emit("done later") })
			e.Ack("first")
		})
		main.OnInline("panics", func(*Socket, *Event) { panic("on purpose") })
	})
	c := dial(t, url)
	c.join("/")
	c.write(`420["quick",0]`)
	c.expect(`430[0]`)
	c.write(`421["slow"]`, `422["quick",2]`, `423["quick",3]`)
	// What it is asked for is answered by others meanwhile.
	c.write(`40/nowhere,`)
	c.expect(`44/nowhere,{"message":"Invalid namespace"}`)
	close(release)
	c.expect(`431["slow"]`)
	c.expect(`432[2]`)
	c.expect(`433[3]`)
	c.write(`424["more"]`)
	c.expect(`434["first"]`)
	c.expect(`42["done later"]`)
	c.write(`42["panics"]`, `425["quick",5]`)
	c.expect(`435[5]`)
}

// An event that is handled inline is handled by the reader: while it is, nothing
// else of the connection is heard.
func TestInlineHandlersAreTheReaders(t *testing.T) {
	answered := make(chan struct{})
	sockets := make(chan *Socket, 1)
	_, url := serve(t, Options{}, func(io *Server) {
		io.Of("/").OnConnect(func(s *Socket) { sockets <- s })
		io.Of("/").OnInline("quick", func(s *Socket, _ *Event) {
			s.Await(0, func([]any) { close(answered) })
			select {
			case <-answered:
				t.Error("heard meanwhile")
			case <-time.After(50 * time.Millisecond):
			}
		})
	})
	c := dial(t, url)
	c.join("/")
	for s, busy := wait(t, sockets), true; busy; runtime.Gosched() { // who let it in has ended
		s.mu.Lock()
		busy = s.jobs.working
		s.mu.Unlock()
	}
	c.write(`42["quick"]`, `430[]`)
	wait(t, answered)
}

// What waits for its handler is bounded in bytes too, attachments among them.
func TestFloodsOfBytes(t *testing.T) {
	for name, say := range map[string]func(c *client, text string){
		"text": func(c *client, text string) { c.write(`42["x","` + text + `"]`) },
		"attachments": func(c *client, text string) {
			c.write(`452-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
			for range 2 {
				if err := c.WriteMessage(2, []byte(text[:len(text)/2])); err != nil {
					c.t.Error(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			reasons, release := make(chan Reason, 1), make(chan struct{}, 10)
			_, url := serve(t, Options{MaxEventBytes: 5000}, func(io *Server) {
				io.Of("/").OnAny(func(s *Socket, _ *Event) {
					select {
					case <-release:
						s.Emit("handled")
					case <-s.Context().Done():
					}
				})
				io.Of("/").OnLeaving(func(_ *Socket, r Reason) { reasons <- r })
			})
			c := dial(t, url)
			c.join("/")
			const each = 3000
			for range 3 { // one is handled, and another waits: beyond the limit alone it would be let pass
				release <- struct{}{}
				say(c, strings.Repeat("x", 2*each))
				c.expect(`42["handled"]`)
			}
			for range 3 {
				say(c, strings.Repeat("x", each))
			}
			if r := wait(t, reasons); r != ReasonFlood {
				t.Error(r)
			}
		})
	}
}

// A client may leave and come again before it was answered to the end, as on
// Node, where that takes no time.
func TestWhoLeavesAndComesAgainWhileAnswered(t *testing.T) {
	release, left := make(chan struct{}), make(chan Reason, 1)
	var came atomic.Int32
	_, url := serve(t, Options{}, func(io *Server) {
		io.Of("/other")
		main := io.Of("/")
		main.OnConnect(func(s *Socket) {
			if came.Add(1) == 1 {
				s.Emit("hello")
				<-release
				return
			}
			auth, _ := s.Auth().(map[string]any)
			s.Emit("again", auth["n"])
		})
		main.OnDisconnect(func(_ *Socket, r Reason) { left <- r })
	})
	c := dial(t, url)
	first := c.join("/")
	c.expect(`42["hello"]`)
	c.write("41", `40{"n":2}`)
	c.join("/other") // by then it has been read
	close(release)
	if r := wait(t, left); r != ReasonClient {
		t.Error(r)
	}
	second := c.read()
	if !strings.HasPrefix(second, `40{"sid":"`) || strings.Contains(second, first) {
		t.Fatal(second)
	}
	c.expect(`42["again",2]`)
	c.write("41")
	wait(t, left)
}

// What else it says after its goodbye is out of place.
func TestWhoSpeaksAfterItsGoodbye(t *testing.T) {
	for _, after := range [][]string{{`42["x"]`}, {"41"}, {"40", "40"}} {
		release := make(chan struct{})
		reasons := make(chan Reason, 1)
		_, url := serve(t, Options{OnClose: func(_ *engineio.Session, r Reason) { reasons <- r }}, func(io *Server) {
			io.Of("/").OnConnect(func(s *Socket) { s.Emit("hello"); <-release })
		})
		c := dial(t, url)
		c.join("/")
		c.write(append([]string{"41"}, after...)...)
		c.ended()
		close(release)
		if r := wait(t, reasons); r != ReasonForcedServer {
			t.Error(after, r)
		}
	}
}

type panics struct{ n atomic.Int32 }

func (*panics) Opened(int, string)            {}
func (*panics) Upgraded()                     {}
func (*panics) UpgradeFailed(engineio.Reason) {}
func (*panics) Closed(engineio.Reason)        {}
func (*panics) Refused(int)                   {}
func (p *panics) Panicked()                   { p.n.Add(1) }

// Panics of what the application gave are counted with the engine's.
func TestPanicsAreCounted(t *testing.T) {
	counted := &panics{}
	var failed []string
	_, url := serve(t, Options{Engine: engineio.Options{Metrics: counted}}, func(io *Server) {
		main := io.Of("/")
		main.Use(func(_ context.Context, s *Socket) error {
			if s.Auth() != nil {
				panic("on purpose")
			}
			return nil
		})
		main.OnAny(func(_ *Socket, e *Event) { failed = append(failed, e.Name); panic("on purpose") })
		main.OnInline("then", func(_ *Socket, e *Event) { e.Ack() })
	})
	c := dial(t, url)
	c.write(`40{"odd":1}`)
	c.expect(`44{"message":"internal error"}`)
	c.join("/")
	c.write(`42["a"]`, `42["b"]`, `421["then"]`)
	c.expect(`431[]`)
	if n := counted.n.Load(); n != 3 || !slices.Equal(failed, []string{"a", "b"}) {
		t.Error(n, failed)
	}
}
