package hub

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"parley/adapters/cluster"
	"parley/adapters/js"
	"parley/models"
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
	relay(cluster.Flags{}, "new_message", append(id(4), js.Member{Key: "_id", Value: strings.Repeat("a", 200)}))
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
	if f := c.next(); !strings.HasPrefix(f, `42["new_message"`) {
		t.Errorf("sent %q", f)
	}
	p.s.Emit(toChat(chat), msg(chat, 5, "five"))
	if f := c.next(); f != messageOf(5, "five") {
		t.Errorf("behind one whose id is none came %q", f)
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
			m.mu.Lock()
			defer m.mu.Unlock()
			return !m.gated && !m.writing && len(m.out) == 0
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
	l := p.s.allLinks()[0]
	eventually(t, "all to be written", l.drained)
	if l.mu.Lock(); l.spare != 0 || l.unsent != nil {
		t.Errorf("%d bytes to spare, unsent %v", l.spare, l.unsent)
	}
	l.mu.Unlock()
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
		l := of.p.s.allLinks()[0]
		eventually(t, "all to be written", l.drained)
		if lost := l.lost(); len(lost) > 0 {
			t.Errorf("taken for lost: %v", lost)
		}
	}
}

func TestOffsetInMsgpack(t *testing.T) {
	t.Parallel()
	p := newPod(t, func(o *Options) { o.Recovery = true; o.Msgpack = true }, chat).start()
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
	if want := loadGolden(t).Packets["offset"].Msgpack; err != nil || kind != gorilla.BinaryMessage || hex.EncodeToString(b) != want {
		t.Errorf("%x of kind %d, %v; want %s", b, kind, err, want)
	}
}

// A message was sent once it is written itself, whatever becomes of its offset.
func TestAMessageIsSentWithoutItsOffset(t *testing.T) {
	t.Parallel()
	p := newPod(t, recovering, chat)
	l := &link{server: p.s}
	var batch []*frame
	for i := range 2 {
		packet, _ := p.s.eventPacket(msg(chat, i+1, "x"))
		f := p.s.frame(packet, nil, false)
		f.identify(models.MessageID(fmt.Sprintf("%024x", i+1)), time.Now(), true)
		batch = append(batch, f)
	}
	l.expect(batch, true)
	first, second := batch[0].weight(true), batch[1].weight(true)
	l.created = int64(first + second)
	if got := len(l.lost()); got != 2 {
		t.Errorf("%d are not written", got)
	}
	l.onWritten(int64(batch[0].size))
	if lost := l.lost(); len(lost) != 1 || lost[0].id != batch[1].id {
		t.Errorf("lost %v", lost)
	}
	l.onWritten(int64(first - batch[0].size + batch[1].size - 1))
	if lost := l.lost(); len(lost) != 1 {
		t.Errorf("but for a byte, lost %v", lost)
	}
	l.onWritten(1)
	if lost := l.lost(); len(lost) != 0 || l.drained() {
		t.Errorf("lost %v, drained %v", lost, l.drained())
	}
}

// writer keeps each write apart.
type writer struct {
	net.Conn
	writes [][]byte
}

func (w *writer) Write(p []byte) (int, error) {
	w.writes = append(w.writes, bytes.Clone(p))
	return len(p), nil
}

func (*writer) SetDeadline(time.Time) error      { return nil }
func (*writer) SetWriteDeadline(time.Time) error { return nil }

// Whatever frames a message is written in, what follows it comes right behind
// its end, and if it is of the usual size, in the same write.
func TestWhatFollowsIsWrittenWithTheMessage(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 125, 126, 1000, 1023, 1024, 1025, 2049, 5000, 65535, 70_000} {
		to := &writer{}
		held := &heldConn{Conn: to}
		mark, said := []byte("\x81\x05hello"), 0
		conn, err := (&gorilla.Upgrader{WriteBufferSize: 1024}).Upgrade(hijacked{httptest.NewRecorder(), held}, upgradeRequest(), nil)
		if err != nil {
			t.Fatal(err)
		}
		to.writes = nil
		held.follow = func() []byte {
			if said++; said == 2 {
				return nil // the second has none
			}
			return mark
		}
		for range 3 {
			w, err := conn.NextWriter(gorilla.TextMessage)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(bytes.Repeat([]byte("m"), n/2)); err != nil {
				t.Fatal(err)
			}
			if err := conn.WriteControl(gorilla.PingMessage, []byte("?"), time.Time{}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(bytes.Repeat([]byte("m"), n-n/2)); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if last := to.writes[len(to.writes)-1]; n < maxJoined && (!bytes.HasSuffix(last, mark) || len(last) == len(mark)) {
			t.Errorf("%d bytes: last written %q", n, last)
		}
		var got []int
		for _, m := range messagesIn(bytes.Join(to.writes, nil)) {
			if string(m) == "hello" {
				got = append(got, -1)
			} else {
				got = append(got, len(m))
			}
		}
		if want := []int{n, -1, n, n, -1}; !slices.Equal(got, want) || said != 3 {
			t.Errorf("read %v, want %v; asked %d times", got, want, said)
		}
	}
}

// hijacked gives its connection away.
type hijacked struct {
	http.ResponseWriter
	conn net.Conn
}

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

func upgradeRequest() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
	} {
		r.Header.Set(name, value)
	}
	return r
}

// messagesIn reads what a server wrote, control frames apart.
func messagesIn(b []byte) (all [][]byte) {
	var message []byte
	for len(b) > 0 {
		head, size := 2, int(b[1])
		switch size {
		case 126:
			head, size = 4, int(binary.BigEndian.Uint16(b[2:]))
		case 127:
			head, size = 10, int(binary.BigEndian.Uint64(b[2:]))
		}
		if b[0]&8 == 0 {
			message = append(message, b[head:head+size]...)
			if b[0]&0x80 != 0 {
				all = append(all, message)
				message = nil
			}
		}
		b = b[head+size:]
	}
	return all
}
