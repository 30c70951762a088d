package rooms

import (
	"context"
	"slices"
	"testing"
	"time"

	"parley/models"
)

// failsWith lets a socket in and wants it refused, because of what else happens
// once its rooms are entered.
func (w *world) failsWith(socket models.SocketID, op string, meanwhile func()) {
	w.t.Helper()
	_, err := w.lets("bob", &door{id: socket, onEnter: func() {
		if meanwhile != nil {
			meanwhile()
		}
		w.failing(op, errAway)
	}})
	w.failing(op, nil)
	if err == nil {
		w.t.Errorf("%s was let in", socket)
	}
}

// The old page left while the new one waited, and saw it; then the new one
// gave up. Nobody is left, and somebody must say so.
func TestWhoGivesUpWhileTheLastLeaves(t *testing.T) {
	for _, forgotten := range []bool{false, true} {
		w, chat := awayWorld(t)
		w.svc.Limits.ReloadPatience = 10 * time.Second
		w.connect("bob", "b1")
		w.advance(time.Second)
		seen := w.send("ann", chat, "seen")
		w.advance(2 * models.Slack)
		before, leftAt := w.offline(), w.now()
		ctx, cancel := context.WithCancel(context.Background())
		_, err := w.svc.Connect(ctx, "bob", &door{id: "b2", onEnter: func() {
			w.disconnect("bob", "b1", seen.ID)
			if forgotten {
				clear(w.noted)
			}
			cancel()
			w.failing("since", context.Canceled)
		}})
		if err == nil || len(w.sockets["bob"]) != 0 {
			t.Fatalf("let in: %v, %v", err, w.sockets["bob"])
		}
		w.failing("since", nil)
		if n := w.offline() - before; n != 1 {
			t.Errorf("%d offline announcements", n)
		}
		w.advance(time.Minute)
		p, err := w.svc.PresenceOf(context.Background(), "bob", "bob")
		if d := leftAt.Sub(p.LastSeen); err != nil || p.Sockets != 0 || d < 0 || !forgotten && d > time.Millisecond || d > 3*models.Slack {
			t.Errorf("%+v, %v; left at %v", p, err, leftAt)
		}
		w.send("ann", chat, "missed again")
		want := []string{"missed again"}
		if forgotten { // nobody knows what it had, or since when
			want = []string{"seen", "missed again"}
		}
		same(t, "back", w.connect("bob", "b3"), want...)
	}
}

// Two of an absent user come together, and neither is let in.
func TestTwoAtTheDoorAndNeitherIsLetIn(t *testing.T) {
	w, chat := awayWorld(t)
	before := w.offline()
	w.failsWith("second", "since", func() {
		// It came first, but it is over before the second is.
		w.mu.Lock()
		second := w.sockets["bob"]
		w.sockets["bob"] = nil
		w.onAdd = func(models.UserID) { w.sockets["bob"] = append(w.sockets["bob"], second...) }
		w.mu.Unlock()
		w.failsWith("first", "since", nil)
		w.mu.Lock()
		w.onAdd = nil
		w.mu.Unlock()
	})
	if n := w.offline() - before; n != 0 {
		t.Errorf("%d offline announcements of one who never was online", n)
	}
	w.advance(time.Minute)
	w.send("ann", chat, "later")
	same(t, "again", w.connect("bob", "again"), "missed", "later")
}

// What counted was left behind by a pod that died, and is taken out meanwhile.
func TestWhoGivesUpBesideAGhost(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.connect("bob", "ghost")
	w.advance(time.Minute)
	w.send("ann", chat, "seen")
	w.advance(time.Hour)
	delete(w.svc.welcomes, "ghost") // it is another pod's
	died := w.now()
	w.advance(time.Second)
	w.send("ann", chat, "missed")
	w.advance(20 * time.Second)
	w.failsWith("b1", "since", func() {
		_, left, err := presence{w}.Remove(context.Background(), "bob", "ghost", time.Time{})
		if err != nil || left != 1 {
			t.Fatal(left, err)
		}
		w.svc.Departed(context.Background(), models.Departure{UserID: "bob", SocketID: "ghost", At: died}, left)
	})
	if w.offline() != 1 {
		t.Errorf("%d offline announcements", w.offline())
	}
	w.advance(time.Second)
	same(t, "again", w.connect("bob", "b2"), "missed")
}

// Redis goes while the only socket is at the door, and takes it out later.
func TestWhoIsRefusedAndRemovedLateEndsNoAbsence(t *testing.T) {
	w, chat := awayWorld(t)
	before := w.offline()
	w.failsWith("b1", "since", func() {
		w.failing("remove", errAway)
		w.failing("markAway", errAway)
	})
	at := w.now()
	w.failing("remove", nil)
	w.failing("markAway", nil)
	w.advance(time.Second)
	_, left, err := presence{w}.Remove(context.Background(), "bob", "b1", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	w.svc.Departed(context.Background(), models.Departure{UserID: "bob", SocketID: "b1", At: at}, left)
	if n := w.offline() - before; n != 0 || len(w.svc.welcomes) != 0 {
		t.Errorf("%d offline announcements; remembered %v", n, w.svc.welcomes)
	}
	w.advance(time.Minute)
	w.send("ann", chat, "later")
	same(t, "again", w.connect("bob", "b2"), "missed", "later")
}

// The note of a departure beside others was never forgotten.
func TestAForgottenNoteIsFoundOnce(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.connect("bob", "phone")
	w.advance(time.Minute)
	w.connect("bob", "page")
	w.advance(time.Minute)
	w.disconnect("bob", "page")
	n := w.noted["bob"]
	n.until = time.Time{}
	w.noted["bob"] = n
	w.advance(time.Minute)
	w.send("ann", chat, "seen by the phone")
	var all []string
	for _, socket := range []models.SocketID{"b1", "b2", "b3"} {
		w.advance(time.Minute)
		all = slices.Concat(all, w.connect("bob", socket))
	}
	same(t, "all three", all, "seen by the phone")
}

// Whoever takes out a dead pod's socket notes it after that; the first to come
// back may come between the two, and look after both.
func TestFirstBackBeforeADeathIsNoted(t *testing.T) {
	for _, back := range []bool{false, true} {
		w := newWorld(t)
		chat := w.chat("ann", "bob")
		w.connect("bob", "b1")
		w.advance(time.Second)
		seen := w.send("ann", chat, "seen")
		left := models.Departure{UserID: "bob", SocketID: "b1", At: w.now(), Had: models.Had{Seen: []models.MessageID{seen.ID}}, Welcomed: true}
		if !back { // the note on the first return is over
			w.advance(time.Minute)
		}
		if _, n, err := (presence{w}).Remove(context.Background(), "bob", "b1", time.Time{}); err != nil || n != 0 {
			t.Fatal(n, err)
		}
		w.send("ann", chat, "missed")
		w.advance(time.Millisecond)
		same(t, "first", w.meet("b2", func() {
			saved := w.saved["bob"]
			w.svc.Departed(context.Background(), left, 0)
			w.saved["bob"] = saved // the database is slower
		}), "missed")
	}
}
