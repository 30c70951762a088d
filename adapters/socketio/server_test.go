package socketio

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEventsAndAnswersBothWays(t *testing.T) {
	answers := make(chan []any, 1)
	_, url := serve(t, Options{}, func(io *Server) {
		main := io.Of("/")
		main.On("ask", func(s *Socket, e *Event) {
			if !e.Asks() {
				t.Error("it was asked for")
			}
			e.Ack(append([]any{"yes"}, e.Args...)...)
			e.Ack("twice")
			args, err := s.EmitWithAck(s.Context(), "and you")
			if err != nil {
				t.Error(err)
			}
			answers <- args
		})
		main.OnAny(func(s *Socket, e *Event) { s.Emit(e.Name+"-back", e.Args...) })
	})
	c := dial(t, url)
	c.join("/")
	c.write(`42["hello",1,{"a":null}]`)
	c.expect(`42["hello-back",1,{"a":null}]`)
	c.write(`427["ask","x"]`)
	c.expect(`437["yes","x"]`)
	c.expect(`420["and you"]`)
	c.write(`430["fine",2]`)
	if got := wait(t, answers); !reflect.DeepEqual(got, []any{"fine", 2.0}) {
		t.Error(got)
	}
	c.write(`451-["bin",{"_placeholder":true,"num":0}]`)
	if err := c.WriteMessage(2, []byte("xyz")); err != nil {
		t.Fatal(err)
	}
	c.expect(`451-["bin-back",{"_placeholder":true,"num":0}]`)
	c.expect("bxyz")
}

func TestNamespaces(t *testing.T) {
	_, url := serve(t, Options{}, func(io *Server) {
		for _, name := range []string{"/", "/custom"} {
			n := io.Of(name)
			n.OnConnect(func(s *Socket) { s.Emit("in", n.Name(), s.Auth()) })
			n.OnAny(func(s *Socket, e *Event) { s.Emit(e.Name, n.Name()) })
		}
	})
	c := dial(t, url)
	c.write(`40/custom,{"token":"1"}`)
	if got := c.read(); !strings.HasPrefix(got, `40/custom,{"sid":"`) {
		t.Fatal(got)
	}
	c.expect(`42/custom,["in","/custom",{"token":"1"}]`)
	c.write("40/nowhere,")
	c.expect(`44/nowhere,{"message":"Invalid namespace"}`)
	c.join("/")
	c.expect(`42["in","/",null]`)
	c.write(`42["x"]`)
	c.expect(`42["x","/"]`)
	c.write(`42/custom,["x"]`)
	c.expect(`42/custom,["x","/custom"]`)
	c.write("41/custom,", `42["still here"]`)
	c.expect(`42["still here","/"]`)
	c.write(`42/custom,["gone"]`)
	c.ended()
}

func TestMiddlewares(t *testing.T) {
	var ran []string
	_, url := serve(t, Options{}, func(io *Server) {
		main := io.Of("/")
		main.Use(func(_ context.Context, s *Socket) error {
			ran = append(ran, "first")
			auth, _ := s.Auth().(map[string]any)
			switch auth["token"] {
			case nil:
				return &Refusal{Message: "Authentication error", Data: map[string]any{"code": "none"}}
			case "odd":
				return errors.New("not for clients")
			case "panic":
				panic("on purpose")
			}
			s.SetPID("p1")
			s.SetData("of the application")
			return nil
		})
		main.Use(func(context.Context, *Socket) error { ran = append(ran, "second"); return nil })
		main.OnConnect(func(s *Socket) { s.Emit("data", s.Data()) })
	})
	c := dial(t, url)
	c.write("40")
	c.expect(`44{"message":"Authentication error","data":{"code":"none"}}`)
	c.write(`40{"token":"odd"}`)
	c.expect(`44{"message":"internal error"}`)
	c.write(`40{"token":"panic"}`)
	c.expect(`44{"message":"internal error"}`)
	if len(ran) != 3 {
		t.Error("a refused socket went on:", ran)
	}
	c.write(`40{"token":"good"}`)
	if got := c.read(); !strings.HasPrefix(got, `40{"sid":"`) || !strings.HasSuffix(got, `","pid":"p1"}`) {
		t.Error(got)
	}
	c.expect(`42["data","of the application"]`)
	c.write("40")
	c.ended()
}

func TestRooms(t *testing.T) {
	io, url := serve(t, Options{}, func(io *Server) {
		main := io.Of("/")
		main.On("join", func(s *Socket, e *Event) { s.Join(e.Args[0].(string)); e.Ack() })
		main.On("leave", func(s *Socket, e *Event) { s.Leave(e.Args[0].(string)); e.Ack() })
	})
	main := io.Of("/")
	var ids []string
	var all []*client
	for range 3 {
		c := dial(t, url)
		ids = append(ids, c.join("/"))
		all = append(all, c)
	}
	for _, c := range all[:2] {
		c.write(`420["join","a"]`)
		c.expect(`430[]`)
	}
	main.To("a").Emit("to", "a")
	main.To("a", ids[0]).Except(ids[1]).Emit("once")
	main.All().Except("a").Emit("rest")
	main.All().Emit("end")
	for i, want := range [][]string{{`42["to","a"]`, `42["once"]`, `42["end"]`}, {`42["to","a"]`, `42["end"]`}, {`42["rest"]`, `42["end"]`}} {
		for _, w := range want {
			all[i].expect(w)
		}
	}
	sockets, err := main.To("a").Fetch(context.Background())
	if err != nil || len(sockets) != 2 || !slices.Contains(sockets[0].Rooms, "a") {
		t.Error(sockets, err)
	}
	main.To(ids[2]).Join("b")
	main.To("b").Emit("b")
	all[2].expect(`42["b"]`)
	main.All().Leave("a")
	main.To("a").Emit("nobody")
	main.To("b").Disconnect(false)
	all[2].expect("41")
	main.All().Disconnect(true)
	for _, c := range all[:2] {
		if rest := c.ended(); !slices.Equal(rest, []string{"41"}) {
			t.Error(rest)
		}
	}
}

func TestBroadcastsThatAsk(t *testing.T) {
	io, url := serve(t, Options{}, func(io *Server) { io.Of("/") })
	a, b := dial(t, url), dial(t, url)
	a.join("/")
	b.join("/")
	type result struct {
		answers [][]any
		err     error
	}
	results := make(chan result, 1)
	ask := func(timeout time.Duration) {
		answers, err := io.Of("/").All().Timeout(timeout).EmitWithAck(context.Background(), "how many")
		results <- result{answers, err}
	}
	go ask(soon)
	a.expect(`420["how many"]`)
	b.expect(`420["how many"]`)
	a.write(`430[1]`, `430[1]`)
	b.write(`430[1]`)
	if r := wait(t, results); r.err != nil || !reflect.DeepEqual(r.answers, [][]any{{1.0}, {1.0}}) {
		t.Error(r)
	}
	go ask(50 * time.Millisecond)
	a.expect(`421["how many"]`)
	if r := wait(t, results); !errors.Is(r.err, context.DeadlineExceeded) || len(r.answers) != 0 {
		t.Error(r)
	}
	if answers, err := io.Of("/").To("nobody").EmitWithAck(context.Background(), "x"); err != nil || len(answers) != 0 {
		t.Error(answers, err)
	}
}

func TestHowSocketsLeave(t *testing.T) {
	type left struct {
		leaving, gone Reason
		rooms         []string
	}
	for _, tc := range []struct {
		name string
		end  func(*client, *Socket)
		want Reason
	}{
		{"goodbye", func(c *client, _ *Socket) { c.write("41") }, ReasonClient},
		{"connection closed", func(c *client, _ *Socket) { _ = c.Close() }, "transport close"},
		{"told to", func(_ *client, s *Socket) { s.Disconnect(false) }, ReasonServer},
		{"closed", func(_ *client, s *Socket) { s.Disconnect(true) }, ReasonServer},
		{"what cannot be read", func(c *client, _ *Socket) { c.write(`42{"not":"a list"}`) }, ReasonParseError},
		{"repeated", func(c *client, _ *Socket) { c.write("40") }, ReasonForcedServer},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sockets, ends := make(chan *Socket, 1), make(chan left, 2)
			_, url := serve(t, Options{}, func(io *Server) {
				var l left
				main := io.Of("/")
				main.OnConnect(func(s *Socket) { s.Join("r"); sockets <- s })
				main.OnLeaving(func(s *Socket, r Reason) { l.leaving, l.rooms = r, s.Rooms() })
				main.OnDisconnect(func(s *Socket, r Reason) {
					if len(s.Rooms()) != 0 || s.Context().Err() == nil {
						t.Error("not gone")
					}
					l.gone = r
					ends <- l
				})
			})
			c := dial(t, url)
			c.join("/")
			tc.end(c, wait(t, sockets))
			if got := wait(t, ends); got.leaving != tc.want || got.gone != tc.want || len(got.rooms) != 2 {
				t.Errorf("%+v, want %s", got, tc.want)
			}
			select {
			case again := <-ends:
				t.Error("twice", again)
			case <-time.After(20 * time.Millisecond):
			}
		})
	}
}

func TestEventsBeforeTheEndAreHandledFirst(t *testing.T) {
	var order []string
	done := make(chan struct{})
	_, url := serve(t, Options{}, func(io *Server) {
		main := io.Of("/")
		release := make(chan struct{})
		main.On("slow", func(*Socket, *Event) { <-release; order = append(order, "event") })
		main.OnLeaving(func(*Socket, Reason) { close(release) })
		main.OnDisconnect(func(*Socket, Reason) { order = append(order, "disconnect"); close(done) })
	})
	c := dial(t, url)
	c.join("/")
	c.write(`42["slow"]`, "41")
	wait(t, done)
	if !slices.Equal(order, []string{"event", "disconnect"}) {
		t.Error(order)
	}
}

func TestNobodyWaitsForEver(t *testing.T) {
	_, url := serve(t, Options{ConnectTimeout: 60 * time.Millisecond}, func(io *Server) { io.Of("/") })
	idle, in := dial(t, url), dial(t, url)
	in.join("/")
	idle.ended()
	in.write("41")
	in.join("/") // the connection has stayed
}

func TestWhoLeavesWhileLetIn(t *testing.T) {
	arrived, ended := make(chan struct{}), make(chan error, 1)
	io, url := serve(t, Options{}, func(io *Server) {
		io.Of("/").Use(func(ctx context.Context, s *Socket) error {
			s.Join("r")
			close(arrived)
			<-ctx.Done()
			ended <- ctx.Err()
			return nil
		})
		io.Of("/").OnConnect(func(*Socket) { t.Error("let in") })
		io.Of("/").OnDisconnect(func(*Socket, Reason) { t.Error("it never came") })
	})
	c := dial(t, url)
	c.write("40")
	wait(t, arrived)
	io.Of("/").All().Emit("not for it")
	_ = c.Close()
	wait(t, ended)
	if left, _ := io.Of("/").All().Fetch(context.Background()); len(left) != 0 {
		t.Error(left)
	}
}

func TestFloods(t *testing.T) {
	reasons := make(chan Reason, 1)
	_, url := serve(t, Options{MaxEvents: 3}, func(io *Server) {
		io.Of("/").OnAny(func(s *Socket, _ *Event) { <-s.Context().Done() })
		io.Of("/").OnLeaving(func(_ *Socket, r Reason) { reasons <- r })
	})
	c := dial(t, url)
	c.join("/")
	for range 6 {
		c.write(`42["x"]`)
	}
	if r := wait(t, reasons); r != ReasonFlood {
		t.Error(r)
	}
}

func TestMsgpackClients(t *testing.T) {
	_, url := serve(t, Options{Parser: Msgpack()}, func(io *Server) {
		io.Of("/").OnAny(func(s *Socket, e *Event) { s.Emit(e.Name, e.Args...) })
	})
	c := dial(t, url)
	say := func(p Packet) {
		b, err := appendMsgpack(nil, p)
		if err != nil || c.WriteMessage(2, b) != nil {
			t.Fatal(err)
		}
	}
	hear := func() *Packet {
		p, err := readMsgpack(strings.TrimPrefix(c.read(), "b"))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	say(Packet{Type: TypeConnect, Nsp: "/"})
	if p := hear(); p.Type != TypeConnect {
		t.Fatal(p)
	}
	say(Packet{Type: TypeEvent, Nsp: "/", Data: []any{"x", []byte("y")}})
	if p := hear(); !reflect.DeepEqual(p.Data, []any{"x", []byte("y")}) {
		t.Error(p)
	}
	c.write("text")
	c.ended()
}
