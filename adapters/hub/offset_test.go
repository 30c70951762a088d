package hub

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"parley/adapters/cluster"
	"parley/adapters/js"
	"parley/adapters/socketio"
	"parley/models"
	captures "parley/test/golden"
)

// What other pods send on is sent as it is; the offset behind it is the client's
// last word on how far it got.
func TestOffsetsOfWhatOtherPodsSend(t *testing.T) {
	t.Parallel()
	p := newPod(t, recovering, chat).start()
	c := p.dial()
	c.connect("u")
	relay := func(flags cluster.Flags, args ...any) {
		(&local{p.s}).Broadcast(cluster.Packet{Type: 2, Data: args, Nsp: "/"}, cluster.Options{Rooms: []string{string(chat)}, Flags: flags})
	}
	id := func(n int) js.Object { return js.Object{{Key: "_id", Value: fmt.Sprintf("%024x", n)}} }
	relay(cluster.Flags{}, "new_message", id(1))
	relay(cluster.Flags{}, "new_message", id(2), "1706933106789-0")
	relay(cluster.Flags{}, "notice", "how are you")
	relay(cluster.Flags{}, "new_message", "no object")
	relay(cluster.Flags{}, "new_message", append(id(3), js.Member{Key: "b", Value: []byte("x")}))
	for _, want := range []string{
		fmt.Sprintf(`42["new_message",{"_id":"%024x"}]`, 1), offsetOf(1),
		fmt.Sprintf(`42["new_message",{"_id":"%024x"},"1706933106789-0"]`, 2), offsetOf(2),
		`42["notice","how are you"]`,
		`42["new_message","no object"]`,
		fmt.Sprintf(`451-["new_message",{"_id":"%024x","b":{"_placeholder":true,"num":0}}]`, 3), "x", offsetOf(3),
	} {
		if f := c.next(); f != want {
			t.Errorf("sent %q, not %q", f, want)
		}
	}
}

// A volatile message that is not written has no offset that claims it was.
func TestOffsetOfAVolatileMessage(t *testing.T) {
	t.Parallel()
	p := newPod(t, recovering, chat).start()
	q := p.poller()
	q.connect()
	volatile := func(n int) {
		(&local{p.s}).Broadcast(cluster.Packet{Type: 2, Nsp: "/", Data: []any{"new_message", js.Object{{Key: "_id", Value: fmt.Sprintf("%024x", n)}}}},
			cluster.Options{Rooms: []string{string(chat)}, Flags: cluster.Flags{Volatile: true}})
	}
	volatile(1) // no poll takes it
	first := q.start()
	eventually(t, "poll", p.polled(q))
	volatile(2)
	if got, want := <-first, fmt.Sprintf(`42["new_message",{"_id":"%024x"}]`, 2)+"\x1e"+offsetOf(2); got != want {
		t.Errorf("sent %q, not %q", got, want)
	}
}

// An answer to a poll comes whole or not at all: one offset does.
func TestOneOffsetForAnAnswer(t *testing.T) {
	t.Parallel()
	p := newPod(t, func(o *Options) { slowPings(o); o.Recovery = true }, chat).start()
	q := p.poller()
	q.connect()
	var want []string
	for i := range 5 {
		p.s.Emit(toChat(chat), msg(chat, i+1, "x"))
		want = append(want, messageOf(i+1, "x"))
	}
	p.s.Emit(toChat(chat), models.UserOnline{UserID: "v"})
	want = append(want, offsetOf(5), `42["user_online",{"userId":"v"}]`)
	if got := q.poll(); got != strings.Join(want, "\x1e") {
		t.Errorf("sent %q, not %q", got, want)
	}
}

// A session that began with polling takes what waits for it, offsets included,
// over to its WebSocket.
func TestOffsetsAcrossAnUpgrade(t *testing.T) {
	t.Parallel()
	p := newPod(t, func(o *Options) { slowPings(o); o.Recovery = true }, chat).start()
	q := p.poller()
	q.connect()
	p.s.Emit(toChat(chat), msg(chat, 1, "x"))
	p.s.Emit(toChat(chat), msg(chat, 2, "y"))
	c := &client{t: t}
	var err error
	c.conn, _, err = gorilla.DefaultDialer.Dial("ws"+strings.TrimPrefix(p.http.URL, "http")+"/socket.io/?EIO=4&transport=websocket&sid="+q.sid, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	c.send("2probe")
	if f := c.next(); f != "3probe" {
		t.Fatalf("answered %q", f)
	}
	c.send("5")
	for _, want := range []string{messageOf(1, "x"), offsetOf(1), messageOf(2, "y"), offsetOf(2)} {
		if f := c.next(); f != want {
			t.Errorf("sent %q, not %q", f, want)
		}
	}
}

// The backlog may be more than a client may leave waiting, its offsets included.
func TestOffsetsOfALargeBacklog(t *testing.T) {
	t.Parallel()
	p := newPod(t, func(o *Options) { slowPings(o); o.Recovery, o.MaxBacklogBytes = true, 200 }, chat)
	var backlog []models.Event
	var want []string
	for i := range 50 {
		backlog = append(backlog, msg(chat, i+1, "x"))
		want = append(want, messageOf(i+1, "x"))
	}
	p.s.OnConnect(func(context.Context, *Door) (Welcome, error) { return Welcome{UserID: "u", Backlog: backlog}, nil })
	p.start()
	q := p.poller()
	q.post(`40{"token":"u"}`)
	eventually(t, "the backlog to be handed to the engine", func() bool {
		p.s.index.mu.Lock()
		defer p.s.index.mu.Unlock()
		for _, m := range p.s.index.members {
			return m.gate == nil
		}
		return false
	})
	got := strings.Split(q.poll(), "\x1e")
	if !slices.Equal(got[1:], append(want, offsetOf(50))) {
		t.Errorf("sent %q", got)
	}
}

func TestOffsetsOfTheBacklog(t *testing.T) {
	t.Parallel()
	p := newPod(t, func(o *Options) { o.Recovery = true }, chat)
	p.s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
		d.Identify("u")
		return Welcome{UserID: "u", Backlog: []models.Event{msg(chat, 1, "one"), models.UserOnline{UserID: "v"}, msg(chat, 2, "two")}}, nil
	})
	p.start()
	c := p.dial()
	c.connect("u")
	for _, want := range []string{
		messageOf(1, "one"), offsetOf(1), `42["user_online",{"userId":"v"}]`, messageOf(2, "two"), offsetOf(2),
	} {
		if f := c.next(); f != want {
			t.Errorf("sent %q, not %q", f, want)
		}
	}
	session := p.s.io.Sessions()[0]
	eventually(t, "all to be written", func() bool { return session.Buffered() == 0 && len(session.Pending()) == 0 })
}

// Where nobody can come back by it, nothing is sent that costs.
func TestNoOffset(t *testing.T) {
	t.Parallel()
	off := newPod(t, nil, chat).start()
	c := off.dial()
	c.connect("u")
	old := newPod(t, func(o *Options) { o.Recovery = true; o.AllowEIO3 = true }, chat).start()
	conn, _, err := gorilla.DefaultDialer.Dial("ws"+strings.TrimPrefix(old.http.URL, "http")+"/socket.io/?EIO=3&transport=websocket&token=u", nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &client{t: t, conn: conn}
	t.Cleanup(d.close)
	for f := d.next(); !strings.HasPrefix(f, "40"); f = d.next() {
	}
	for _, of := range []struct {
		p *pod
		c *client
	}{{off, c}, {old, d}} {
		eventually(t, "the socket", func() bool { return of.p.s.Sockets() == 1 })
		of.p.s.Emit(toChat(chat), msg(chat, 1, "one"))
		of.p.s.Emit(toChat(chat), msg(chat, 2, "two"))
		for _, want := range []string{messageOf(1, "one"), messageOf(2, "two")} {
			if f := of.c.next(); f != want {
				t.Errorf("sent %q, not %q", f, want)
			}
		}
		session := of.p.s.io.Sessions()[0]
		eventually(t, "all to be written", func() bool { return session.Buffered() == 0 && len(session.Pending()) == 0 })
	}
}

// heardAll is a pod that has heard all until then.
type heardAll time.Time

func (h heardAll) Heard() time.Time            { return time.Time(h) }
func (h heardAll) HeardAt(time.Time) time.Time { return time.Time(h) }

func TestOffsetInMsgpack(t *testing.T) {
	t.Parallel()
	heard := heardAll(time.UnixMilli(1767149317460))
	p := newPod(t, func(o *Options) { o.Recovery, o.Msgpack, o.Marks = true, true, heard }, chat).start()
	c := p.dial()
	connect, err := hex.DecodeString("83a47479706500a36e7370a12fa46461746181a5746f6b656ea175")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.conn.WriteMessage(gorilla.BinaryMessage, connect); err != nil {
		t.Fatal(err)
	}
	c.next()
	const id = "0123456789abcdef01234567"
	m := msg(chat, 1, "x")
	m.Message.ID = id
	p.s.Emit(toChat(chat), m)
	c.next()
	kind, b, err := c.conn.ReadMessage()
	var g struct {
		Packets map[string]struct{ Msgpack string }
	}
	captures.Load(t, &g)
	if want := g.Packets["offset"].Msgpack; err != nil || kind != gorilla.BinaryMessage || hex.EncodeToString(b) != want {
		t.Errorf("%x of kind %d, %v; want %s", b, kind, err, want)
	}
}

// A message was sent once it is written itself, whatever becomes of its offset;
// of one with attachments, once the last is.
func TestTheMarkIsTheMessages(t *testing.T) {
	t.Parallel()
	p := newPod(t, recovering, chat)
	for _, payload := range []js.Object{
		{{Key: "_id", Value: "0123456789abcdef01234567"}},
		{{Key: "_id", Value: "0123456789abcdef01234567"}, {Key: "b", Value: []byte("x")}},
	} {
		m, ok := p.s.encode(socketio.Packet{Type: socketio.TypeEvent, Data: []any{"new_message", payload}}, false)
		if !ok || len(m.marked) != len(m.frames)+1 {
			t.Fatalf("%d frames, %d with the offset", len(m.frames), len(m.marked))
		}
		for i, f := range m.marked {
			if sent, is := f.Tag().(*sentAt); is != (i == len(m.frames)-1) || is && sent != m.sent {
				t.Errorf("frame %d of %d is known by %v", i, len(m.marked), f.Tag())
			}
		}
	}
}
