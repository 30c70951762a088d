package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"parley/adapters/cluster"
	"parley/adapters/socketio"
	"parley/models"
)

func recovering(o *Options) { o.Recovery = true }

// present is a CONNECT of a client that names a session, and its answer.
func (c *client) present(token, pid, offset string) (sid, session string) {
	c.t.Helper()
	auth, err := json.Marshal(map[string]string{"token": token, "pid": pid, "offset": offset})
	if err != nil {
		c.t.Fatal(err)
	}
	c.send("40" + string(auth))
	var got struct{ Sid, Pid string }
	if f := c.next(); !strings.HasPrefix(f, "40") || json.Unmarshal([]byte(f[2:]), &got) != nil {
		c.t.Fatalf("answered %q", f)
	}
	return got.Sid, got.Pid
}

func TestSessionGoesOn(t *testing.T) {
	t.Parallel()
	p := newPod(t, recovering, chat)
	p.s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
		if _, _, ok := d.Resumes(); ok {
			t.Error("a session of nobody's was taken")
		}
		d.Identify("u")
		if _, offset, ok := d.Resumes(); ok && offset == "last" {
			d.Resume()
		}
		return Welcome{UserID: "u"}, nil
	})
	p.start()
	_, first := p.dial().present("u", "", "")
	if len(first) != 20 {
		t.Fatalf("session %q", first)
	}
	if _, next := p.dial().present("u", first, "last"); next != first {
		t.Errorf("resumed as %q, not %q", next, first)
	}
	if _, next := p.dial().present("u", first, "other"); next == first || next == "" {
		t.Errorf("a session that was not resumed is %q", next)
	}
	p.s.index.mu.Lock()
	if n := len(p.s.index.sessions); n != 2 {
		t.Errorf("%d sessions are held", n)
	}
	p.s.index.mu.Unlock()
	strangers := string(models.NewSessionID("v", time.Now()))
	if _, next := p.dial().present("u", strangers, "last"); next == strangers {
		t.Error("took another user's session")
	}
}

// wiretap writes down what is broadcast to other pods.
type wiretap struct {
	alone
	packets chan cluster.Packet
}

func (w wiretap) Broadcast(p cluster.Packet, _ cluster.Options) { w.packets <- p }

func offsetOf(id int) string { return fmt.Sprintf(`42["parley:offset","%024x"]`, id) }

func messageOf(id int, text string) string {
	return fmt.Sprintf(`42["new_message",{"_id":"%024x","chatId":%q,"content":%q}]`, id, chat, text)
}

func TestOffsetIsForClientsAlone(t *testing.T) {
	t.Parallel()
	tap := wiretap{packets: make(chan cluster.Packet, 3)}
	p := newPod(t, func(o *Options) { slowPings(o); o.Recovery = true; o.Bus = tap }, chat).start()
	c := p.dial()
	c.connect("u")
	p.s.Emit(toChat(chat), msg(chat, 1, "hello"))
	p.s.Emit(toChat(chat), models.UserOnline{UserID: "v"})
	p.s.Emit(toChat(chat), msg(chat, 2, "again"))
	for _, want := range []string{
		messageOf(1, "hello"), offsetOf(1), `42["user_online",{"userId":"v"}]`, messageOf(2, "again"), offsetOf(2),
	} {
		if kind, f, err := c.conn.ReadMessage(); err != nil || kind != websocket.TextMessage || string(f) != want {
			t.Errorf("sent %q of kind %d, not %q (%v)", f, kind, want, err)
		}
	}
	for _, name := range []string{"new_message", "user_online", "new_message"} {
		if data, ok := (<-tap.packets).Data.([]any); !ok || len(data) != 2 || data[0] != name {
			t.Errorf("other pods were sent %v", data)
		}
	}
	if len(tap.packets) > 0 {
		t.Errorf("other pods were sent %v, too", <-tap.packets)
	}
}

// Part reaches whoever holds the session, on any pod, and nobody else.
func TestPart(t *testing.T) {
	t.Parallel()
	hub := &fakeHub{}
	pods := make([]*pod, 2)
	for i := range pods {
		pods[i] = newPod(t, func(o *Options) { o.Recovery = true; o.Bus = hub.bus() }, chat).start()
	}
	a, b, other := pods[0].dial(), pods[1].dial(), pods[1].dial()
	_, session := a.present("u", "", "")
	heldB, sessionB := b.present("u", "", "")
	other.connect("u")
	_, third := pods[1].dial().present("u", "", "")
	pods[0].s.Part(models.SessionID(sessionB), models.SocketID(heldB)) // spared
	pods[0].s.Part(models.SessionID(third), "")
	eventually(t, "one to go", func() bool { return len(pods[1].departures()) > 0 })
	if d := pods[1].departures(); len(d) != 1 || d[0].Session != models.SessionID(third) {
		t.Errorf("left: %+v", d)
	}
	pods[1].s.Part(models.SessionID(session), "")
	if err := a.ended(); err == nil {
		t.Error("the holder is still there")
	}
	eventually(t, "the departure", func() bool { return len(pods[0].departures()) == 1 })
	if d := pods[0].departures()[0]; d.Reason != cutReplaced || d.Session != models.SessionID(session) || d.Deliberate {
		t.Errorf("left as %+v", d)
	}
	pods[0].s.Part(models.SessionID(sessionB), "")
	if err := b.ended(); err == nil {
		t.Error("the other pod's holder is still there")
	}
	eventually(t, "one socket to be left", func() bool { return pods[1].s.Sockets() == 1 })
	eventually(t, "its departure", func() bool { return len(pods[1].departures()) == 2 })
	pods[1].s.disconnectLocal(socketio.Audience{}, true)
	eventually(t, "all to have left", func() bool { return len(pods[1].departures()) == 3 })
	if d := pods[1].departures()[2]; !d.Deliberate {
		t.Errorf("left as %+v", d)
	}
	for _, p := range pods {
		p.s.index.mu.Lock()
		if n := len(p.s.index.sessions); n != 0 {
			t.Errorf("%d sessions are held by nobody", n)
		}
		p.s.index.mu.Unlock()
	}
}

// What a socket was sent is told in the order of sending: its backlog, then what
// was held back, then what came live.
func TestSentInOrder(t *testing.T) {
	t.Parallel()
	p := newPod(t, recovering, chat)
	other := models.ChatID("aaaaaaaaaaaaaaaaaaaaaaaa")
	p.s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
		d.Identify("u")
		d.Enter([]models.ChatID{chat, other})
		p.s.Emit(toChat(chat), msg(chat, 9, "held back"))
		p.s.Emit(toChat(chat), msg(chat, 2, "held back and in the backlog"))
		return Welcome{UserID: "u", Backlog: []models.Event{msg(chat, 1, "old"), msg(chat, 2, "old")}}, nil
	})
	p.start()
	c := p.dial()
	c.connect("u")
	for range 3 {
		c.next()
	}
	for i, room := range []models.ChatID{other, chat, other, chat} {
		p.s.Emit(toChat(room), msg(room, 8-i, "live"))
		c.next()
	}
	c.reset()
	eventually(t, "the departure", func() bool { return len(p.departures()) == 1 })
	d := p.departures()[0]
	var ids []string
	for _, s := range d.Sent {
		ids = append(ids, strings.TrimLeft(string(s.ID), "0"))
	}
	if want := []string{"1", "2", "9", "8", "7", "6", "5"}; !slices.Equal(ids, want) || d.Backlog != 2 || !d.SentFrom.IsZero() {
		t.Errorf("sent %v, of it %d backlog, from %v; want %v", ids, d.Backlog, d.SentFrom, want)
	}
}

// By the last few of a room a client can say how far it got however long ago
// that was; that more was there is not forgotten.
func TestSentLongAgo(t *testing.T) {
	t.Parallel()
	p := newPod(t, recovering, chat).start()
	c := p.dial()
	c.connect("u")
	for i := range minRecent + 3 {
		p.s.Emit(toChat(chat), msg(chat, i+1, "x"))
		c.next()
	}
	p.s.index.mu.Lock()
	p.s.index.rooms[string(chat)].recent.expire(time.Now().Add(time.Hour))
	p.s.index.mu.Unlock()
	c.reset()
	eventually(t, "the departure", func() bool { return len(p.departures()) == 1 })
	d := p.departures()[0]
	if len(d.Sent) != minRecent || d.SentFrom.IsZero() || !d.SentFrom.Equal(d.Sent[0].At) {
		t.Errorf("%d sent from %v", len(d.Sent), d.SentFrom)
	}
}

// The connection ends right behind a DISCONNECT: it was ended, not lost.
func TestGoodbyeAndGone(t *testing.T) {
	t.Parallel()
	p := newPod(t, recovering, chat).start()
	for i := range 50 {
		c := p.dial()
		c.connect("u")
		c.send("41")
		_ = c.conn.Close()
		eventually(t, "the departure", func() bool { return len(p.departures()) == i+1 })
		if d := p.departures()[i]; !d.Deliberate {
			t.Fatalf("left as %+v", d)
		}
	}
}
