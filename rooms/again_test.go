package rooms

import (
	"context"
	"testing"
	"time"

	"parley/models"
)

// What a socket that is tried again needs is kept at its door.
func (w *world) tryAt(d *door, wantError bool) []string {
	w.t.Helper()
	backlog, err := w.lets("bob", d)
	if (err != nil) != wantError {
		w.t.Fatalf("let in: %v", err)
	}
	return texts(backlog)
}

// A try fails wherever it may, also by a panic; the next is as good as the first.
func TestTriedAgain(t *testing.T) {
	for _, op := range []string{"add", "chatsOf", "since", "panic"} {
		w, _ := awayWorld(t)
		before := w.offline()
		d := &door{id: "b1"}
		if op == "panic" {
			d.onEnter = func() { d.onEnter = nil; panic(op) }
			func() {
				defer func() { _ = recover() }()
				w.tryAt(d, true)
			}()
		} else {
			w.failing(op, errAway)
			w.tryAt(d, true)
			w.failing(op, nil)
		}
		if len(w.sockets["bob"]) != 0 || len(w.svc.welcomes) != 0 {
			t.Errorf("%s: left behind %v, %v", op, w.sockets["bob"], w.svc.welcomes)
		}
		w.advance(time.Second)
		same(t, op, w.tryAt(d, false), "missed")
		if n := w.offline() - before; n != 0 || len(w.sockets["bob"]) != 1 {
			t.Errorf("%s: %d offline announcements, sockets %v", op, n, w.sockets["bob"])
		}
	}
}

// Redis is away when a try is undone, and presence takes the socket out late: by
// then it has come again, and that is no departure. When it leaves, it is one.
func TestALateWordOfAnEarlierTry(t *testing.T) {
	w, chat := awayWorld(t)
	before := w.offline()
	d := &door{id: "b1", onEnter: func() {
		w.failing("since", errAway)
		w.failing("remove", errAway)
	}}
	w.tryAt(d, true)
	d.onEnter = nil
	w.failing("since", nil)
	w.failing("remove", nil)
	late := models.Departure{UserID: "bob", SocketID: "b1", At: w.now()}
	w.advance(time.Second)
	same(t, "again", w.tryAt(d, false), "missed")
	w.svc.Departed(context.Background(), late, 0)
	if n := w.offline() - before; n != 0 {
		t.Errorf("%d offline announcements of one who is there", n)
	}
	w.advance(time.Second)
	seen := w.send("ann", chat, "seen")
	w.disconnect("bob", "b1", seen.ID)
	if n := w.offline() - before; n != 1 {
		t.Errorf("%d offline announcements", n)
	}
	w.advance(time.Minute)
	w.send("ann", chat, "later")
	same(t, "next", w.connect("bob", "b2"), "later")
	if len(w.svc.again) != 0 {
		t.Errorf("remembered %v", w.svc.again)
	}
}

// The last of the others leaves while the socket is tried again and again, and
// saw it in presence; then it gives up. Somebody must say that nobody is left.
func TestWhoGivesUpAfterTwoTries(t *testing.T) {
	w, _ := awayWorld(t)
	w.svc.Limits.ReloadPatience = 10 * time.Second
	w.connect("bob", "b1")
	w.advance(time.Minute)
	before := w.offline()
	d := &door{id: "b2", onEnter: func() {
		w.failing("since", errAway)
		w.failing("remove", errAway)
	}}
	w.tryAt(d, true)
	w.failing("remove", nil)
	w.disconnect("bob", "b1")
	if n := w.offline() - before; n != 0 {
		t.Fatalf("%d offline announcements while b2 counts", n)
	}
	d.onEnter = nil
	w.tryAt(d, true)
	w.failing("since", nil)
	if n := w.offline() - before; n != 1 || len(w.sockets["bob"]) != 0 {
		t.Errorf("%d offline announcements, sockets %v", n, w.sockets["bob"])
	}
}

// Redis was away when a page left: its socket still counts, and its note is
// nowhere. Its client, coming back, is sent what it missed all the same, once.
func TestComingBackBeforeTheDepartureIsNoted(t *testing.T) {
	for _, recovers := range []bool{false, true} {
		w := newWorld(t)
		chat := w.chat("ann", "bob")
		w.connect("bob", "b1")
		w.advance(time.Minute)
		seen := w.send("ann", chat, "seen")
		session := models.NewSessionID("bob", w.now())
		for _, op := range []string{"markAway", "remove", "keepSession"} {
			w.failing(op, errAway)
		}
		left := models.Departure{
			UserID: "bob", SocketID: "b1", At: w.now(), Had: models.Had{Seen: []models.MessageID{seen.ID}}, Welcomed: true,
			Session: session, Sent: []models.Delivery{{ID: seen.ID, At: seen.CreatedAt}},
		}
		noted := w.noted["bob"]
		w.parts(left)
		w.noted["bob"] = noted // nothing has reached Redis
		clear(w.sessions)
		for _, op := range []string{"markAway", "remove", "keepSession"} {
			w.failing(op, nil)
		}
		w.advance(time.Second)
		w.send("ann", chat, "missed")
		w.advance(time.Minute)
		d := &door{id: "b2"}
		if recovers {
			d.session, d.offset = session, string(seen.ID)
		}
		same(t, "back", w.tryAt(d, false), "missed")
		if d.resumed != recovers {
			t.Errorf("resumed: %v", d.resumed)
		}
		// Told at last: it changes nothing.
		_, n, err := presence{w}.Remove(context.Background(), "bob", "b1", time.Time{})
		if err != nil || n != 1 {
			t.Fatal(n, err)
		}
		before := w.offline()
		w.svc.Departed(context.Background(), models.Departure{UserID: "bob", SocketID: "b1", At: left.At}, n)
		w.advance(time.Minute)
		same(t, "a further device", w.connect("bob", "b3"))
		if w.offline() != before || len(w.svc.owes) != 0 {
			t.Errorf("%d offline announcements, owed %v", w.offline()-before, w.svc.owes)
		}
	}
}

// Redis was away when a page left, has forgotten everything since, and its pod is
// gone: what it had is in the database, for its client and for a page loaded anew.
func TestLeavingWithRedisForGood(t *testing.T) {
	for _, recovers := range []bool{false, true} {
		w := newWorld(t)
		chat := w.chat("ann", "bob")
		w.connect("bob", "b1")
		w.advance(time.Minute)
		seen, unread := w.send("ann", chat, "seen"), w.send("ann", chat, "unread")
		session := models.NewSessionID("bob", w.now())
		for _, op := range []string{"markAway", "remove", "keepSession"} {
			w.failing(op, errAway)
		}
		had := models.Had{Heard: seen.CreatedAt.Add(-time.Minute), Seen: []models.MessageID{seen.ID}}
		w.parts(models.Departure{
			UserID: "bob", SocketID: "b1", At: w.now().Add(time.Second), Had: had, Welcomed: true, Session: session, Unread: 1,
			Sent: []models.Delivery{{ID: seen.ID, At: seen.CreatedAt}, {ID: unread.ID, At: unread.CreatedAt}},
		})
		clear(w.sockets)
		clear(w.noted)
		clear(w.sessions)
		clear(w.svc.owes)
		clear(w.svc.welcomes)
		for _, op := range []string{"markAway", "remove", "keepSession"} {
			w.failing(op, nil)
		}
		w.advance(2 * time.Second)
		w.send("ann", chat, "missed")
		d := &door{id: "b2"}
		if recovers {
			d.session, d.offset = session, models.Offset{ID: seen.ID, Heard: had.Heard}.String()
		}
		same(t, "back", w.tryAt(d, false), "unread", "missed")
		if d.resumed != recovers {
			t.Errorf("resumed: %v", d.resumed)
		}
	}
}

// A departure that Redis could not be told of does not end the return of somebody
// who has come elsewhere meanwhile.
func TestLeavingBehindAReturn(t *testing.T) {
	w := newWorld(t)
	w.chat("ann", "bob")
	w.connect("bob", "b1")
	w.advance(time.Minute)
	left := w.now()
	w.advance(time.Second)
	returned := models.Absence{Since: left.Add(-time.Minute), Back: w.now()}
	w.saved["bob"] = returned // by another pod
	w.failing("markAway", errAway)
	w.failing("remove", errAway)
	w.parts(models.Departure{UserID: "bob", SocketID: "b1", At: left, Welcomed: true})
	if got := w.saved["bob"]; !got.Back.Equal(returned.Back) {
		t.Errorf("saved %+v", got)
	}
}
