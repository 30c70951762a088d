package hub

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley/adapters/cluster"
	"parley/adapters/js"
	"parley/models"
)

// made reads the content of a message as when it was made.
func made(args []any) time.Time {
	if len(args) == 0 {
		return time.Time{}
	}
	fields, _ := js.Fields(args[0])
	content := fields["content"]
	text, _ := content.(string)
	at, _ := time.Parse(time.RFC3339Nano, text)
	return at
}

// What was said before somebody was added to a chat can come later than that: it
// waited in a queue while Redis stood still. It is none of their business.
func TestWhatWasSaidBeforeTheyWereAdded(t *testing.T) {
	t.Parallel()
	p := newPod(t, func(o *Options) { o.MadeAt = made }, chatD).start()
	was, added := p.dial(), p.dial()
	was.connect("was")
	added.connect("added")
	join := func(user models.UserID) {
		t.Helper()
		if err := p.s.Join(context.Background(), models.Audience{Users: []models.UserID{user}}, chat); err != nil {
			t.Fatal(err)
		}
	}
	join("was")
	time.Sleep(10 * time.Millisecond) // the clock has to go on
	said := time.Now()
	time.Sleep(10 * time.Millisecond)
	join("added")
	join("was") // changes nothing
	early, late := said.Format(time.RFC3339Nano), time.Now().Format(time.RFC3339Nano)
	(&local{p.s}).Broadcast(cluster.Packet{Type: 2, Nsp: "/", Data: []any{"new_message", payload(1, early)}}, cluster.Options{Rooms: []string{string(chat)}})
	p.s.Retell(models.Message{ID: msg(chat, 2, "").Message.ID, ChatID: chat, Text: early, CreatedAt: said}, time.Now(), nil)
	p.s.Emit(toChat(chat), msg(chat, 3, late))
	p.s.Emit(toChat(chat), msg(chat, 4, "nobody knows when"))
	for _, want := range []string{early, early, late, "nobody knows when"} {
		if got := was.next(); !strings.Contains(got, want) {
			t.Errorf("who was there is sent %q, not %q", got, want)
		}
	}
	for _, want := range []string{late, "nobody knows when"} {
		if got := added.next(); !strings.Contains(got, want) {
			t.Errorf("who was added is sent %q, not %q", got, want)
		}
	}
}

func payload(n int, text string) any {
	_, v := encode(msg(chat, n, text))
	return v
}

// Where this pod may not have heard of a removal, it is said who may be told.
func TestOnlyThoseWhoAreNamed(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat).start()
	stays, removed := p.dial(), p.dial()
	stays.connect("stays")
	removed.connect("removed")
	to := toChat(chat)
	to.Only = []models.UserID{"stays", "nobody"}
	p.s.Emit(to, msg(chat, 1, "not for all"))
	to.Only = []models.UserID{}
	p.s.Emit(to, msg(chat, 2, "for nobody"))
	p.s.Emit(toChat(chat), msg(chat, 3, "for all"))
	if got := stays.next(); !strings.Contains(got, "not for all") {
		t.Error(got)
	}
	for _, c := range []*client{stays, removed} {
		if got := c.next(); !strings.Contains(got, "for all") || strings.Contains(got, "not for all") {
			t.Error(got)
		}
	}
}

// Who was looked up before others went unheard may have been removed since from a
// chat of its backlog: it is not told that, and comes back.
func TestNobodyIsWelcomedInDoubt(t *testing.T) {
	t.Parallel()
	bus := &moodyBus{fakeBus: (&fakeHub{}).bus()}
	p := newPod(t, func(o *Options) { o.Bus = bus }, chat)
	var once atomic.Bool
	p.s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
		d.Identify("u")
		d.Enter([]models.ChatID{chat})
		if once.CompareAndSwap(false, true) {
			bus.away.Store(true)
		}
		return Welcome{UserID: "u", Backlog: []models.Event{msg(chat, 1, "perhaps not theirs any more")}}, nil
	})
	p.start()
	c := p.dial()
	c.send(`40{"token":"u"}`)
	c.endedSilently(p, cutUnavailable)
	eventually(t, "the departure", func() bool { return len(p.departures()) == 1 })
	if d := p.departures()[0]; d.Welcomed {
		t.Errorf("%+v", d)
	}
	bus.away.Store(false)
	again := p.dial()
	again.connect("u")
	if got := again.next(); !strings.Contains(got, "perhaps") {
		t.Error(got)
	}
}
