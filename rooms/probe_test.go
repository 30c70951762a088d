package rooms

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"parley/models"
)

// Who comes beside a connection that turns out to be dead is sent what went into
// it, once; beside one that is alive, nothing.
func TestBesideADeadConnection(t *testing.T) {
	for name, tc := range map[string]struct {
		dead bool
		want []string
	}{"dead": {true, []string{"into the dead one"}}, "alive": {false, nil}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			chat := w.chat("ann", "bob")
			w.connect("bob", "old")
			w.advance(time.Hour)
			seen := w.send("ann", chat, "seen")
			heard := w.now()
			w.advance(time.Second)
			w.send("ann", chat, "into the dead one")
			w.advance(5 * time.Second)
			asked := 0
			w.probe = func(user models.UserID, except models.SocketID) int {
				asked++
				if user != "bob" || except != "new" {
					t.Errorf("asked for %s but %s", user, except)
				}
				if !tc.dead {
					return 1
				}
				w.parts(models.Departure{
					UserID: "bob", SocketID: "old", At: heard, Welcomed: true, Had: models.Had{Seen: []models.MessageID{seen.ID}}, Reason: "ping timeout",
				})
				return 0
			}
			d := &door{id: "new"}
			backlog, err := w.lets("bob", d)
			if err != nil || len(backlog) != 0 || asked != 0 || d.later == nil {
				t.Fatalf("connect waited: %v %v, asked %d times", texts(backlog), err, asked)
			}
			same(t, "later", texts(d.later(context.Background())), tc.want...)
			if tc.dead { // of a page that was never heard of nothing is believed
				w.parts(models.Departure{UserID: "bob", SocketID: "new", At: heard, Welcomed: true, Reason: "ping timeout"})
				same(t, "the next page", w.connect("bob", "next"), "into the dead one")
			}
		})
	}
}

// MongoDB is away when it is to be looked up: who comes waits for it.
func TestBesideADeadConnectionWithTheDatabaseAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		chat := w.chat("ann", "bob")
		w.connect("bob", "old")
		w.advance(time.Hour)
		heard := w.now()
		w.advance(time.Second)
		w.send("ann", chat, "into the dead one")
		w.probe = func(models.UserID, models.SocketID) int {
			w.parts(models.Departure{UserID: "bob", SocketID: "old", At: heard, Welcomed: true, Reason: "ping timeout"})
			w.failing("since", errAway)
			time.AfterFunc(5*time.Second, func() { w.failing("since", nil) })
			return 0
		}
		d := &door{id: "new"}
		if _, err := w.lets("bob", d); err != nil {
			t.Fatal(err)
		}
		same(t, "later", texts(d.later(context.Background())), "into the dead one")
	})
}

// Who can say what it had is not in need of it, and the first of all has nobody
// to ask.
func TestNobodyIsAskedForNothing(t *testing.T) {
	w := newWorld(t)
	w.chat("ann", "bob")
	first := &door{id: "first"}
	if _, err := w.lets("bob", first); err != nil || first.later != nil {
		t.Error("the first asks", err)
	}
	back := &door{id: "back", session: models.NewSessionID("bob", w.now())}
	if _, err := w.lets("bob", back); err != nil || back.later != nil {
		t.Error("one that goes on with its session asks", err)
	}
}

// A page that is loaded again before it was told what the dead connection missed
// leaves that to the next.
func TestLoadedAgainAmidTheLook(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.connect("bob", "old")
	w.advance(time.Hour)
	heard := w.now()
	w.advance(time.Second)
	w.send("ann", chat, "into the dead one")
	w.advance(time.Minute)
	d := &door{id: "first"}
	if _, err := w.lets("bob", d); err != nil {
		t.Fatal(err)
	}
	w.advance(time.Second)
	w.parts(models.Departure{UserID: "bob", SocketID: "old", At: heard, Welcomed: true, Reason: "ping timeout"})
	w.parts(models.Departure{UserID: "bob", SocketID: "first", At: w.now(), Welcomed: true, Unserved: true, Reason: "transport close"})
	same(t, "the page loaded again", w.connect("bob", "second"), "into the dead one")
}

// The pod of the other socket was killed, and nobody has cleaned up after it: who
// comes is sent what came since it fell silent, less what a connection may not have
// had that was dead before. Beside one whose pod is as it should be, nothing.
func TestBesideASocketOfADeadPod(t *testing.T) {
	for name, tc := range map[string]struct {
		dead bool
		want []string
	}{"dead": {true, []string{"in doubt", "into nothing"}}, "slow": {false, nil}} {
		w := newWorld(t)
		chat := w.chat("ann", "bob")
		w.connect("bob", "old")
		delete(w.svc.welcomes, "old")
		w.podOf["old"] = "other"
		hears := func() {
			w.mu.Lock()
			if !tc.dead || len(w.marks) == 0 {
				w.marks["other"] = models.Mark{Sent: w.clock, Heard: w.clock}
			}
			w.mu.Unlock()
			if err := w.svc.hear(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		w.send("ann", chat, "had")
		w.advance(w.svc.Limits.Unheard)
		w.send("ann", chat, "in doubt")
		w.advance(time.Second)
		hears() // and the pod is killed
		w.advance(time.Millisecond)
		w.send("ann", chat, "into nothing")
		w.advance(time.Second)
		hears()
		w.advance(suspectAfter)
		hears()
		w.probe = func(models.UserID, models.SocketID) int { return 0 }
		d := &door{id: "new"}
		if backlog, err := w.lets("bob", d); err != nil || len(backlog) != 0 {
			t.Fatal(texts(backlog), err)
		}
		same(t, name, texts(d.later(context.Background())), tc.want...)
		if tc.dead && d.had.Misses(w.messages[2]) != true {
			t.Error("what it is sent counts as what it had")
		}
		// It leaves before that pod is cleaned up after, and comes back to it: what it
		// had is noted, and nobody forgets that for a socket that is nobody's.
		if !tc.dead {
			continue
		}
		w.advance(time.Second)
		seen := w.send("ann", chat, "seen")
		w.parts(models.Departure{UserID: "bob", SocketID: "new", At: w.now(), Welcomed: true, Had: models.Had{Seen: []models.MessageID{w.messages[1].ID, w.messages[2].ID, seen.ID}}})
		w.advance(time.Minute)
		w.send("ann", chat, "missed")
		same(t, "the next page", w.connect("bob", "next"), "missed")
	}
}

// Redis is away when it is to be found out whose pod was killed: who comes waits.
func TestBesideASocketOfADeadPodWithRedisAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		chat := w.chat("ann", "bob")
		w.connect("bob", "old")
		delete(w.svc.welcomes, "old")
		w.podOf["old"] = "other"
		w.marks["other"] = models.Mark{Sent: w.clock, Heard: w.clock}
		for range 3 {
			if err := w.svc.hear(context.Background()); err != nil {
				t.Fatal(err)
			}
			w.advance(2 * goneAfter)
		}
		w.send("ann", chat, "into nothing")
		w.probe = func(models.UserID, models.SocketID) int {
			w.failing("podsOf", errAway)
			time.AfterFunc(5*time.Second, func() { w.failing("podsOf", nil) })
			return 0
		}
		d := &door{id: "new"}
		if _, err := w.lets("bob", d); err != nil {
			t.Fatal(err)
		}
		same(t, "later", texts(d.later(context.Background())), "into nothing")
	})
}
