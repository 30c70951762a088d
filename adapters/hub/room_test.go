package hub

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"parley/models"
)

// Whatever comes and goes, members know where they stand, and rooms who is in
// them and since when.
func TestMembersKnowWhereTheyStand(t *testing.T) {
	t.Parallel()
	x, now := newIndex(), time.Unix(1000, 0)
	want := map[*member]map[string]time.Time{}
	var all []*member
	for i := range 12 {
		now = now.Add(time.Second)
		m := &member{id: fmt.Sprint("socket", i), gate: &gate{}}
		x.add(m, now)
		all, want[m] = append(all, m), map[string]time.Time{m.id: now}
	}
	for step := range 5000 {
		m, name := all[rand.IntN(len(all))], fmt.Sprint("room", rand.IntN(20))
		now = now.Add(time.Second)
		_, in := want[m][name]
		switch what := rand.IntN(50); {
		case what == 0 && m.phase != gone && len(want) > 3:
			x.remove(m)
			delete(want, m)
		case what == 1 && m.phase != gone:
			x.stepBack(m)
			want[m] = map[string]time.Time{m.id: want[m][m.id]}
		case m.phase == gone:
		case what < 25:
			x.mu.Lock()
			x.join(m, name, now)
			x.mu.Unlock()
			if !in {
				want[m][name] = now
			}
		default:
			x.mu.Lock()
			x.leave(m, name)
			x.mu.Unlock()
			delete(want[m], name)
		}
		x.check(t, step, want)
	}
}

func (x *index) check(t *testing.T, step int, want map[*member]map[string]time.Time) {
	t.Helper()
	seats, open := 0, map[string]int{}
	for m, rooms := range want {
		seats += len(rooms)
		if len(m.seats) != len(rooms) {
			t.Fatalf("step %d: %s is in %v, not in %v", step, m.id, m.roomNames(), rooms)
		}
		for name, since := range rooms {
			open[name]++
			if r := x.rooms[name]; !m.since(r).Equal(since) {
				t.Fatalf("step %d: %s is in %s since %v, not %v", step, m.id, name, m.since(r), since)
			}
		}
		for _, s := range m.seats {
			if s.room != x.rooms[s.room.name] || s.room.members[s.at] != m {
				t.Fatalf("step %d: %s does not stand where it thinks in %s", step, m.id, s.room.name)
			}
		}
	}
	for name, r := range x.rooms {
		if len(r.members) != open[name] || slices.Contains(r.members, nil) {
			t.Fatalf("step %d: %d in %s, not %d", step, len(r.members), name, open[name])
		}
		seats -= len(r.members)
	}
	if seats != 0 {
		t.Fatalf("step %d: %d seats in no room", step, seats)
	}
}

// However coarse the clock: what went to several rooms at one time is told in the
// order in which it was sent.
func TestTheOrderOfWhatWasSentAtOneTime(t *testing.T) {
	t.Parallel()
	at, other := time.Now(), models.ChatID("aaaaaaaaaaaaaaaaaaaaaaaa")
	p := newPod(t, func(o *Options) { o.Now = func() time.Time { return at } }, chat)
	p.s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
		d.Identify("u")
		d.Enter([]models.ChatID{chat, other})
		return Welcome{UserID: "u"}, nil
	})
	p.start()
	c := p.dial()
	c.connect("u")
	var want []models.MessageID
	for i := range 6 {
		m := msg([]models.ChatID{chat, other}[i%2], i+1, "x")
		p.s.Emit(toChat(m.Message.ChatID), m)
		want = append(want, m.Message.ID)
		c.message()
	}
	c.close()
	eventually(t, "departure", func() bool { return len(p.departures()) == 1 })
	var have []models.MessageID
	for _, d := range p.departures()[0].Sent {
		have = append(have, d.ID)
	}
	if !slices.Equal(have, want) {
		t.Errorf("%v, not %v", have, want)
	}
}
