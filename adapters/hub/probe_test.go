package hub

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"parley/models"
)

// On every pod, those that do not answer are closed, those that do are let be.
func TestProbe(t *testing.T) {
	t.Parallel()
	hub := &fakeHub{}
	pods := make([]*pod, 2)
	for i := range pods {
		pods[i] = newPod(t, func(o *Options) { slowPings(o); o.Bus = hub.bus() }, chat).start()
	}
	var dead, alive []string
	for _, p := range pods {
		silent, c := p.dial(), p.dial()
		dead = append(dead, silent.connect("u"))
		alive = append(alive, c.connect("u"))
		go func() { _ = c.ended() }() // it answers pings
		other := p.dial()
		alive = append(alive, other.connect("v"))
	}
	asked := time.Now()
	if pods[0].s.Probe(context.Background(), "u", models.SocketID("another"), 4) {
		t.Error("all are alive")
	}
	if took := time.Since(asked); took < time.Second {
		t.Errorf("given up after %v", took)
	}
	for i, p := range pods {
		eventually(t, "the silent one to leave", func() bool { return len(p.departures()) == 1 })
		if d := p.departures()[0]; string(d.SocketID) != dead[i] || d.Reason != reasonPing || d.At.After(asked) || d.Deliberate {
			t.Errorf("departure %+v", d)
		}
		for _, id := range alive {
			if m := p.s.index.find(id); m != nil && m.phase != live {
				t.Errorf("%s was ended", id)
			}
		}
	}
	// Where all answer, it is known at once; whoever asks is not asked.
	asked = time.Now()
	if !pods[0].s.Probe(context.Background(), "u", models.SocketID("another"), 1) || time.Since(asked) > 900*time.Millisecond {
		t.Errorf("known after %v", time.Since(asked))
	}
	// So it is soon of those on other pods; whoever asks does not count.
	asked = time.Now()
	if !pods[0].s.Probe(context.Background(), "u", models.SocketID(alive[0]), 1) || time.Since(asked) > 900*time.Millisecond {
		t.Errorf("known of another pod's after %v", time.Since(asked))
	}
	if pods[0].s.Probe(context.Background(), "u", models.SocketID(alive[0]), 2) {
		t.Error("who asked counts itself")
	}
	// One question each: it is answered once it is known.
	hub.mu.Lock()
	defer hub.mu.Unlock()
	if n := len(hub.asks); n != 4 {
		t.Errorf("%d questions", n)
	}
}

// What is found after connect comes before what is sent meanwhile, and nothing
// of it twice.
func TestMoreOfTheBacklog(t *testing.T) {
	t.Parallel()
	p := newPod(t, recovering, chat)
	asked, found := make(chan struct{}), make(chan []models.Event)
	p.s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
		d.Identify("u")
		d.Enter([]models.ChatID{chat})
		d.Later(func(context.Context) []models.Event { close(asked); return <-found })
		return Welcome{UserID: "u", Backlog: []models.Event{msg(chat, 1, "one")}}, nil
	})
	p.start()
	c := p.dial()
	c.connect("u") // waits for nothing
	if got := c.next(); got != messageOf(1, "one") {
		t.Fatal(got)
	}
	c.next() // its offset
	<-asked
	p.s.Emit(toChat(chat), msg(chat, 4, "live"))
	p.s.Emit(toChat(chat), msg(chat, 3, "both"))
	found <- []models.Event{msg(chat, 1, "one"), msg(chat, 2, "two"), msg(chat, 3, "both")}
	p.s.Emit(toChat(chat), msg(chat, 2, "two")) // late
	var got []string
	for len(got) < 6 {
		kind, b, err := c.conn.ReadMessage()
		if err != nil || kind != websocket.TextMessage {
			t.Fatal(err)
		}
		if string(b) == "2" {
			c.send("3")
			continue
		}
		got = append(got, string(b))
	}
	want := []string{messageOf(2, "two"), offsetOf(2), messageOf(3, "both"), offsetOf(3), messageOf(4, "live"), offsetOf(4)}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
