package rooms

import (
	"context"
	"errors"
	"testing"
	"time"

	"parley/models"
)

// pageBesidePhone has bob's phone, and then a page of his, connected for a while.
func pageBesidePhone(t *testing.T, page *door) (w *world, chat models.ChatID) {
	t.Helper()
	w = newWorld(t)
	w.svc.Limits.Recovery = 2 * time.Minute
	chat = w.chat("ann", "bob")
	w.connect("bob", "phone")
	w.advance(time.Minute)
	w.comes(page)
	w.advance(time.Minute)
	return w, chat
}

// comes is a socket that comes beside others, all of which answer, and what it is
// sent.
func (w *world) comes(d *door) []string {
	w.t.Helper()
	w.probe = func(models.UserID, models.SocketID) int { return 1 }
	backlog, err := w.lets("bob", d)
	if err != nil {
		w.t.Fatal(err)
	}
	got := texts(backlog)
	if d.later != nil {
		got = append(got, texts(d.later(context.Background()))...)
	}
	return got
}

// A client that cannot say what it had comes back beside another device of its user,
// which lives: it is sent what was said since it left, and no other is.
func TestBackBesideAnotherDevice(t *testing.T) {
	for name, tc := range map[string]struct {
		left, back models.Device
		pause      time.Duration
		want       []string
	}{
		"the same":             {models.Device{Protocol: 4, Agent: "x", Addr: "a"}, models.Device{Protocol: 4, Agent: "x", Addr: "b"}, time.Minute, []string{"missed"}},
		"another browser":      {models.Device{Protocol: 4, Agent: "x"}, models.Device{Protocol: 4, Agent: "y"}, time.Minute, nil},
		"another protocol":     {models.Device{Protocol: 3, Agent: "x"}, models.Device{Protocol: 4, Agent: "x"}, time.Minute, nil},
		"too late":             {models.Device{Protocol: 4}, models.Device{Protocol: 4}, 3 * time.Minute, nil},
		"of whom nobody knows": {models.Device{}, models.Device{Protocol: 4, Agent: "y"}, time.Minute, []string{"missed"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, chat := pageBesidePhone(t, &door{id: "page", device: tc.left})
			seen := w.send("ann", chat, "seen by both")
			w.disconnect("bob", "page", seen.ID)
			w.advance(tc.pause / 2)
			w.send("ann", chat, "missed")
			w.advance(tc.pause / 2)
			same(t, "who comes", w.comes(&door{id: "again", device: tc.back}), tc.want...)
			same(t, "a further device", w.comes(&door{id: "tablet", device: tc.back}))
		})
	}
}

// One that follows another and goes before it was sent what that had missed leaves
// that to the next.
func TestGoneBeforeItWasSentWhatTheOtherMissed(t *testing.T) {
	w, chat := pageBesidePhone(t, &door{id: "page"})
	w.disconnect("bob", "page")
	w.advance(time.Second)
	w.send("ann", chat, "missed")
	w.advance(time.Second)
	same(t, "the next", w.comes(&door{id: "next"}), "missed")
	w.svc.Disconnect(context.Background(), models.Departure{UserID: "bob", SocketID: "next", At: w.now(), Welcomed: true, Unserved: true, Reason: "transport close"})
	w.advance(time.Second)
	same(t, "the one after", w.comes(&door{id: "after"}), "missed")
}

// While Redis is away, what a socket of this pod had is known here.
func TestBackBesideAnotherDeviceWithRedisAway(t *testing.T) {
	w, chat := pageBesidePhone(t, &door{id: "page"})
	away := errors.New("away")
	w.failing("remove", away)
	w.failing("markAway", away)
	w.disconnect("bob", "page")
	w.failing("remove", nil)
	w.failing("markAway", nil)
	w.advance(time.Second)
	w.send("ann", chat, "missed")
	w.advance(time.Second)
	same(t, "the next", w.comes(&door{id: "next"}), "missed")
	w.svc.Departed(context.Background(), models.Departure{UserID: "bob", SocketID: "page", At: w.now()}, 2)
	w.advance(time.Minute)
	same(t, "a further device", w.comes(&door{id: "tablet"}))
}

// Who comes soon behind the first of the user's to come back, and had left before that
// one did, is sent what it missed itself, and all of it in order.
func TestBackBehindTheFirstThatLeftLater(t *testing.T) {
	w, chat := pageBesidePhone(t, &door{id: "page"})
	w.disconnect("bob", "page")
	w.advance(20 * time.Second)
	had := w.send("ann", chat, "missed by the page")
	w.advance(20 * time.Second)
	w.disconnect("bob", "phone", had.ID)
	w.advance(time.Second)
	w.send("ann", chat, "missed by both")
	w.advance(time.Second)
	same(t, "the phone", w.connect("bob", "phone again"), "missed by both")
	w.advance(time.Second)
	same(t, "the page", w.comes(&door{id: "page again"}), "missed by the page", "missed by both")
}

// One that cannot be let in does not keep what another had.
func TestNotLetInWhoFollowsAnother(t *testing.T) {
	w, chat := pageBesidePhone(t, &door{id: "page"})
	w.disconnect("bob", "page")
	w.advance(20 * time.Second)
	w.send("ann", chat, "missed by the page")
	w.disconnect("bob", "phone")
	w.send("ann", chat, "missed by both")
	w.connect("bob", "phone again")
	w.onFollow = func() { w.fail["since"] = errors.New("away") }
	if _, err := w.lets("bob", &door{id: "refused"}); err == nil {
		t.Fatal("it was let in")
	}
	w.failing("since", nil)
	w.onFollow = nil
	same(t, "the page", w.comes(&door{id: "page again"}), "missed by the page", "missed by both")
}

// A device that leaves while it is asked who is alive is not the one that has just come:
// what it had, the newcomer has not.
func TestAnotherLeavesAmidTheLook(t *testing.T) {
	w := newWorld(t)
	w.svc.Limits.ReloadPatience = 100 * time.Millisecond
	chat := w.chat("ann", "bob")
	w.connect("bob", "phone")
	w.connect("bob", "page")
	w.advance(time.Hour)
	d := &door{id: "new"}
	var phones models.Message
	w.probe = func(models.UserID, models.SocketID) int {
		w.advance(time.Second)
		phones = w.send("ann", chat, "held back for the new one, had by the phone")
		w.disconnect("bob", "phone", phones.ID)
		return 1 // the page
	}
	if _, err := w.lets("bob", d); err != nil {
		t.Fatal(err)
	}
	d.later(context.Background())
	if !d.had.Misses(phones) {
		t.Errorf("it has what the phone had: %+v", d.had)
	}
}

// Redis is just back: of a socket that left meanwhile it is noted only now, while the
// one that follows it is there already.
func TestFollowsOneWhoseLeavingIsNotedLate(t *testing.T) {
	for name, deaf := range map[string]bool{"deaf lately": true, "all the while in touch": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.svc.Limits.Recovery = 2 * time.Minute
			chat := w.chat("ann", "bob")
			w.connect("bob", "phone")
			w.advance(time.Minute)
			left := w.svc.now()
			w.send("ann", chat, "missed")
			w.advance(4 * time.Second)
			if deaf {
				w.svc.Marks.hears(left)
			}
			w.advance(2 * time.Second)
			w.svc.Marks.hears(w.svc.now())
			go func() {
				time.Sleep(markEvery / 2)
				v := models.Vacancy{SocketID: "page", Absence: models.Absence{Since: left, Had: models.Had{Heard: left}}}
				if err := (presence{w}).Vacate(context.Background(), "bob", v, time.Minute); err != nil {
					t.Error(err)
				}
			}()
			want := []string{"missed"}
			if !deaf {
				want = nil
			}
			same(t, "who comes", w.comes(&door{id: "again"}), want...)
		})
	}
}

// Redis is away when it is to be found out whom one follows: it waits for that.
func TestFollowsOnceRedisIsBack(t *testing.T) {
	w, chat := pageBesidePhone(t, &door{id: "page"})
	w.disconnect("bob", "page")
	w.advance(20 * time.Second)
	w.send("ann", chat, "missed")
	w.failing("vacancies", errAway)
	go func() {
		time.Sleep(markEvery / 2)
		w.failing("vacancies", nil)
	}()
	same(t, "the page", w.comes(&door{id: "page again"}), "missed")
}

// Redis forgot, and a pod was killed before it had put its sockets back: who comes
// beside another device, and may have been on that pod, is sent what that had not.
func TestBesideAnotherDeviceWhenAPodDiedUnregistered(t *testing.T) {
	for name, dead := range map[string]bool{"a pod died": true, "all live": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.svc.Limits.Recovery = 2 * time.Minute
			chat := w.chat("ann", "bob")
			w.connect("bob", "phone")
			w.advance(time.Minute)
			hears := func(alive bool) {
				w.mu.Lock()
				if alive {
					w.marks["other"] = models.Mark{Sent: w.clock, Heard: w.clock}
				}
				w.mu.Unlock()
				if err := w.svc.hear(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			hears(true)
			w.advance(3 * time.Second) // Redis is away
			w.send("ann", chat, "into nothing")
			for range 3 {
				w.advance(2 * time.Second)
				hears(!dead)
			}
			want := []string{"into nothing"}
			if !dead {
				want = nil
			}
			same(t, "who comes", w.comes(&door{id: "again"}), want...)
		})
	}
}
