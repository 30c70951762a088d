package hub

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"parley/adapters/socketio"
	"parley/models"
)

const chat = models.ChatID("0123456789abcdef01234567")

// What is sent while a socket is let in arrives once, after connect and after
// the backlog, and what the backlog has is not sent again.
func TestDoorOrder(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat)
	entered, finish := make(chan struct{}), make(chan struct{})
	p.s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
		d.Identify("u")
		d.Enter([]models.ChatID{chat})
		close(entered)
		<-finish
		return Welcome{UserID: "u", Backlog: []models.Event{msg(chat, 1, "old"), msg(chat, 2, "both")}}, nil
	})
	p.start()
	c := p.dial()
	c.send(`40{"token":"u"}`)
	<-entered
	p.s.Emit(toChat(chat), msg(chat, 2, "both"))
	p.s.Emit(toChat(chat), msg(chat, 3, "live"))
	close(finish)
	f := c.next()
	if !strings.HasPrefix(f, "40{") {
		t.Fatalf("first frame %q", f)
	}
	if id := models.SocketID(between(f, `"sid":"`, `"`)); !p.s.InRoom(id, chat) {
		t.Errorf("%q is not in the room", id)
	}
	p.s.Emit(toChat(chat), msg(chat, 1, "old")) // late to the room, early in the backlog
	p.s.Emit(toChat(chat), msg(chat, 4, "after"))
	for _, want := range []string{"old", "both", "live", "after"} {
		if got := c.message(); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func TestLeaveDuringConnectWins(t *testing.T) {
	t.Parallel()
	other := models.ChatID("aaaaaaaaaaaaaaaaaaaaaaaa")
	third := models.ChatID("bbbbbbbbbbbbbbbbbbbbbbbb")
	p := newPod(t, nil, chat)
	ids := make(chan models.SocketID, 1)
	p.s.OnConnect(func(ctx context.Context, d *Door) (Welcome, error) {
		d.Identify("u")
		who := models.Audience{Users: []models.UserID{"u"}}
		if err := errors.Join(p.s.Leave(ctx, who, chat), p.s.Join(ctx, who, third)); err != nil {
			return Welcome{}, err
		}
		if err := errors.Join(p.s.Leave(ctx, who, other), p.s.Join(ctx, who, other)); err != nil {
			return Welcome{}, err
		}
		d.Enter([]models.ChatID{chat, other})
		ids <- d.SocketID()
		return Welcome{UserID: "u"}, nil
	})
	p.start()
	c := p.dial()
	c.connect("u")
	id := <-ids
	for room, want := range map[models.ChatID]bool{chat: false, other: true, third: true} {
		if got := p.s.InRoom(id, room); got != want {
			t.Errorf("in %s: %v, want %v", room, got, want)
		}
	}
}

// Only what another try would not change is a connect_error.
func TestRefusals(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat)
	p.s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
		token, ok := d.Token()
		switch {
		case !ok:
			return Welcome{}, models.Refuse(models.CodeTokenMissing, "no token")
		case token == "odd":
			return Welcome{}, models.Refuse(models.CodeInvalidUserID, "no user")
		}
		d.Identify("u")
		return Welcome{UserID: "u"}, nil
	})
	p.start()
	c := p.dial()
	for _, tc := range []struct{ send, want string }{
		{`40`, `44{"message":"Authentication error","data":{"code":"token_missing","message":"no token"}}`},
		{`40{"token":null}`, `44{"message":"Authentication error","data":{"code":"token_missing","message":"no token"}}`},
		{`40{"token":"odd"}`, `44{"message":"no user","data":{"code":"invalid_user_id","message":"no user"}}`},
		{`40/admin,{}`, `44/admin,{"message":"Invalid namespace"}`},
	} {
		c.send(tc.send)
		if got := c.next(); got != tc.want {
			t.Errorf("%s answered %s", tc.send, got)
		}
	}
	c.connect("ok") // on the same transport
	if n := len(p.departures()); n != 0 {
		t.Errorf("%d departures of refused sockets", n)
	}
}

func TestRepeatedConnectWhilePending(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat)
	calls := make(chan struct{}, 4)
	p.s.OnConnect(func(ctx context.Context, d *Door) (Welcome, error) {
		calls <- struct{}{}
		<-ctx.Done()
		return Welcome{}, ctx.Err()
	})
	p.start()
	c := p.dial()
	c.send(`40{"token":"u"}`)
	<-calls
	c.send(`40{"token":"u"}`)
	err := c.ended()
	if !websocket.IsCloseError(err, websocket.CloseNoStatusReceived) {
		t.Errorf("closed with %v, want no status", err)
	}
	eventually(t, "the first OnConnect ends", func() bool { return p.s.Sockets() == 0 })
	if len(calls) != 0 {
		t.Error("OnConnect ran twice")
	}
}

func TestDoorOverflow(t *testing.T) {
	t.Parallel()
	p := newPod(t, func(o *Options) { o.MaxHeld = 10 }, chat)
	entered := make(chan struct{})
	p.s.OnConnect(func(ctx context.Context, d *Door) (Welcome, error) {
		d.Identify("u")
		d.Enter([]models.ChatID{chat})
		close(entered)
		<-ctx.Done()
		return Welcome{UserID: "u"}, nil
	})
	p.start()
	c := p.dial()
	c.send(`40{"token":"u"}`)
	<-entered
	for i := range 11 {
		p.s.Emit(toChat(chat), msg(chat, i+1, "x"))
	}
	_ = c.ended()
	// It was let in, though nobody was there any more: it leaves, and says that
	// what was held back has to be sent again.
	eventually(t, "departure", func() bool { return len(p.departures()) == 1 })
	d := p.departures()[0]
	if d.Reason != cutDoorOverflow || len(d.Seen) != 0 || d.UserID != "u" {
		t.Errorf("departure %+v", d)
	}
}

func TestOnDisconnectOnce(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat).start()
	for name, tc := range map[string]struct {
		reason string
		end    func(*client)
	}{
		"goodbye": {reasonClient, func(c *client) { c.send("41") }},
		"closed":  {reasonLost, (*client).close},
		"reset":   {reasonLost, (*client).reset},
		"kicked":  {cutKicked, func(*client) { p.s.disconnectLocal(socketio.Audience{Rooms: []string{"user:kicked"}}, true) }},
		"told":    {reasonServer, func(*client) { p.s.disconnectLocal(socketio.Audience{Rooms: []string{"user:told"}}, false) }},
	} {
		t.Run(name, func(t *testing.T) {
			c := p.dial()
			id := c.connect(name)
			tc.end(c)
			eventually(t, "departure of "+name, func() bool {
				return slices.ContainsFunc(p.departures(), func(d models.Departure) bool { return string(d.SocketID) == id })
			})
			d := p.departures()[len(p.departures())-1]
			if string(d.UserID) != name || d.Reason != tc.reason {
				t.Errorf("departure %+v", d)
			}
			c.close()
		})
	}
	eventually(t, "all gone", func() bool { return p.s.Sockets() == 0 })
	if n := len(p.departures()); n != 5 {
		t.Errorf("%d departures", n)
	}
	p.s.index.mu.Lock()
	defer p.s.index.mu.Unlock()
	if len(p.s.index.rooms) != 0 {
		t.Errorf("rooms left behind: %v", p.s.index.rooms)
	}
}

func TestDisconnectDuringConnect(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat)
	entered, finish := make(chan struct{}), make(chan struct{})
	var running sync.WaitGroup
	p.s.OnConnect(func(ctx context.Context, d *Door) (Welcome, error) {
		d.Identify("u")
		close(entered)
		running.Add(1)
		defer running.Done()
		<-ctx.Done() // the connection has died
		<-finish
		old := msg(chat, 1, "old")
		old.Message.CreatedAt = time.Unix(1000, 0)
		return Welcome{UserID: "u", Backlog: []models.Event{old}}, nil
	})
	p.start()
	c := p.dial()
	c.send(`40{"token":"u"}`)
	<-entered
	c.reset()
	time.Sleep(20 * time.Millisecond)
	if len(p.departures()) != 0 {
		t.Fatal("it left while OnConnect ran")
	}
	close(finish)
	eventually(t, "departure", func() bool { return len(p.departures()) == 1 })
	d := p.departures()[0]
	if !d.At.Equal(time.Unix(1000, 0)) || len(d.Seen) != 0 {
		t.Errorf("the backlog was never sent, but: %+v", d)
	}
}

// A socket that is told to go while it is let in goes once it is in.
func TestKickedAtTheDoor(t *testing.T) {
	t.Parallel()
	for _, closeTransport := range []bool{false, true} {
		p := newPod(t, nil, chat)
		p.s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
			d.Identify("u")
			p.s.disconnectLocal(socketio.Audience{Rooms: []string{"user:u"}}, closeTransport)
			return Welcome{UserID: "u"}, nil
		})
		p.start()
		c := p.dial()
		if closeTransport {
			c.send(`40{"token":"u"}`)
			_ = c.ended()
		} else {
			c.connect("u")
			if f := c.next(); f != "41" {
				t.Errorf("got %q", f)
			}
		}
		eventually(t, "departure", func() bool { return len(p.departures()) == 1 })
	}
}

// A removal is answered while the socket stands at the door: of that chat it is
// told nothing any more, neither what was found for it nor what was held back. Once
// it was told connect it hears, before the answer, what was said while it was there.
func TestARemovalCutsTheBacklog(t *testing.T) {
	t.Parallel()
	for _, back := range []bool{false, true} {
		removalCutsTheBacklog(t, back)
	}
}

// removalCutsTheBacklog is of one who is back in the chat before it is found what was
// missed there: that is older than what was heard.
func removalCutsTheBacklog(t *testing.T, back bool) {
	t.Helper()
	other := models.ChatID("aaaaaaaaaaaaaaaaaaaaaaaa")
	p := newPod(t, nil, chat)
	asked, found := make(chan struct{}), make(chan []models.Event)
	who := models.Audience{Users: []models.UserID{"u"}}
	p.s.OnConnect(func(ctx context.Context, d *Door) (Welcome, error) {
		d.Identify("u")
		d.Enter([]models.ChatID{chat, other})
		d.Later(func(context.Context) []models.Event { close(asked); return <-found })
		backlog := []models.Event{msg(chat, 1, "found"), msg(other, 2, "found, stays"), msg(chat, 3, "found")}
		p.s.Emit(toChat(chat), msg(chat, 4, "held back"))
		p.s.Emit(toChat(other), msg(other, 5, "held back, stays"))
		return Welcome{UserID: "u", Backlog: backlog}, p.s.Leave(ctx, who, chat)
	})
	p.start()
	c := p.dial()
	c.connect("u")
	<-asked
	if got := c.message(); got != "found, stays" {
		t.Fatal(got)
	}
	p.s.Emit(toChat(other), msg(other, 6, "live, left later"))
	if err := p.s.Leave(context.Background(), who, other); err != nil {
		t.Fatal(err)
	}
	if got := c.message(); got != "held back, stays" {
		t.Fatal(got)
	}
	if got := c.message(); got != "live, left later" {
		t.Fatal(got)
	}
	third := models.ChatID("bbbbbbbbbbbbbbbbbbbbbbbb")
	if err := p.s.Join(context.Background(), who, third); err != nil {
		t.Fatal(err)
	}
	if back {
		if err := p.s.Join(context.Background(), who, other); err != nil {
			t.Fatal(err)
		}
	}
	found <- []models.Event{msg(other, 7, "found later")}
	p.s.Emit(toChat(third), msg(third, 8, "the end"))
	if got := c.message(); got != "the end" {
		t.Errorf("told %q of a chat it was taken out of", got)
	}
}

// What a client is known by is kept as JSON, and must come back from there as it was.
func TestWhatAClientIsKnownBy(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ sent, want string }{
		"as it is": {"Firefox", "Firefox"}, "no UTF-8": {"Fire\xfffox", "Firefox"}, "cut amid a letter": {strings.Repeat("x", maxAgent-1) + "\u00e9", strings.Repeat("x", maxAgent-1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, nil, chat)
			known := make(chan models.Device, 1)
			p.s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
				known <- d.Device()
				d.Identify("u")
				return Welcome{UserID: "u"}, nil
			})
			p.start()
			c, err := dialWS(p.http.URL, http.Header{"User-Agent": {tc.sent}})
			if err != nil {
				t.Fatal(err)
			}
			c.t = t
			t.Cleanup(c.close)
			c.connect("u")
			if got, want := <-known, (models.Device{Protocol: 4, Agent: tc.want, Addr: "127.0.0.1"}); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}
