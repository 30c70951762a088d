package hub

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/adapters/engineio"
	"parley/models"
)

func TestRecent(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	x := newIndex()
	m := &member{id: "m"}
	x.add(m, now)
	x.mu.Lock()
	x.join(m, "a", now)
	x.join(m, "b", now)
	x.mu.Unlock()
	keep := 30 * time.Second
	for _, step := range []struct {
		rooms []string
		id    models.MessageID
		after time.Duration
		want  bool
	}{
		{[]string{"a"}, "1", 0, false},
		{[]string{"a"}, "1", keep, true},
		{[]string{"b"}, "1", keep, false},
		{[]string{"a", "b"}, "1", keep, true},
		{[]string{"a"}, "2", keep, false},
		{[]string{"a", "b"}, "2", keep, false},
		{[]string{"nobody"}, "1", keep, false},
		{[]string{"a"}, "1", keep + 1, true}, // one of the last few
	} {
		if got := x.repeated(step.rooms, step.id, now.Add(step.after), now.Add(step.after).Add(-keep)); got != step.want {
			t.Errorf("%+v: %v", step, got)
		}
	}
	for i := range minRecent {
		x.repeated([]string{"a"}, models.MessageID(fmt.Sprint("more", i)), now, now.Add(-keep))
	}
	if x.repeated([]string{"a"}, "1", now.Add(keep+1), now.Add(1)) {
		t.Error("remembered for ever")
	}
	for i := range 2 * maxRecent {
		x.repeated([]string{"a"}, models.MessageID(fmt.Sprint(i)), now, now.Add(-keep))
	}
	if n := len(x.rooms["a"].recent.sent); n != maxRecent {
		t.Errorf("%d remembered", n)
	}
}

func TestNewest(t *testing.T) {
	t.Parallel()
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	got := newest([]sentAt{{"c", at(3)}, {"a", at(1)}, {"b", at(2)}, {"c", at(4)}, {"a", at(1)}}, 2)
	if !slices.Equal(got, []models.MessageID{"b", "c"}) {
		t.Errorf("got %v", got)
	}
}

func TestDepartOnce(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat).start()
	c := p.dial()
	id := c.connect("u")
	m := p.s.index.find(id)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { p.s.depart(m, engineio.TransportClose) })
	}
	all.Wait()
	eventually(t, "departure", func() bool { return len(p.departures()) > 0 })
	p.s.depart(m, engineio.TransportClose)
	c.close()
	eventually(t, "the connection goes", func() bool { return len(p.s.io.Sessions()) == 0 })
	if n := len(p.departures()); n != 1 {
		t.Errorf("%d departures", n)
	}
}

// A socket that is not let in yet has nowhere to leave from.
func TestNoDepartureFromTheDoor(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat)
	in, finish := make(chan models.SocketID), make(chan struct{})
	p.s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
		d.Identify("u")
		in <- d.SocketID()
		<-finish
		return Welcome{}, models.Refuse(models.CodeTokenExpired, "late")
	})
	p.start()
	c := p.dial()
	c.send(`40{"token":"u"}`)
	p.s.depart(p.s.index.find(string(<-in)), engineio.TransportClose)
	if p.s.Sockets() != 1 {
		t.Error("it left")
	}
	close(finish)
	c.next()
	if n := len(p.departures()); n != 0 || p.s.Sockets() != 0 {
		t.Errorf("%d departures, %d sockets", n, p.s.Sockets())
	}
}

// Whatever was written after a client was last heard, its connection was dead:
// none of it counts as read, nor what follows.
func TestWhatADeadConnectionWasSentIsUnread(t *testing.T) {
	heard := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(s int, id models.MessageID) sentAt {
		return sentAt{id: id, at: heard.Add(time.Duration(s) * time.Second)}
	}
	for name, tc := range map[string]struct {
		unsent []sentAt
		unread int
	}{
		"all written": {nil, 2},
		"one was not": {[]sentAt{at(-1, "b")}, 3},
	} {
		p := parting{member: &member{}, phase: live, until: heard, sent: []sentAt{at(-2, "a"), at(-1, "b"), at(1, "c"), at(2, "d")}, unsent: tc.unsent}
		if d := p.departure(func(at time.Time) time.Time { return at }); d.Unread != tc.unread || len(d.Sent) != 4 {
			t.Errorf("%s: unread the last %d of %v", name, d.Unread, d.Sent)
		}
	}
}
