package rooms

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"parley/models"
)

// come lets in a socket whose client names a session and an offset.
func (w *world) come(user models.UserID, d *door) []string {
	w.t.Helper()
	backlog, err := w.lets(user, d)
	if err != nil {
		w.t.Fatal(err)
	}
	return texts(backlog)
}

// lose takes a socket away that had been sent these, and remembers its session.
func (w *world) lose(user models.UserID, socket models.SocketID, session models.SessionID, sent ...models.Message) {
	d := models.Departure{UserID: user, SocketID: socket, At: w.now(), Reason: "transport close", Welcomed: true, Session: session}
	for _, m := range sent {
		d.Sent = append(d.Sent, models.Delivery{ID: m.ID, At: m.CreatedAt})
		d.Seen = append(d.Seen, m.ID)
	}
	w.parts(d)
}

func TestRecoveryBesideAnotherDevice(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.connect("bob", "phone")
	w.advance(time.Minute)
	w.connect("bob", "laptop")
	w.advance(time.Minute)
	session := models.NewSessionID("bob", w.now())
	read := w.send("ann", chat, "read")
	unread := w.send("ann", chat, "sent but never read")
	w.lose("bob", "phone", session, read, unread)
	w.advance(time.Minute)
	w.send("ann", chat, "missed")
	d := &door{id: "phone2", session: session, offset: string(read.ID)}
	same(t, "backlog", w.come("bob", d), "sent but never read", "missed")
	if !d.resumed {
		t.Error("the session did not go on")
	}
}

// A client that was sent its backlog and read none of it is where it was before.
func TestRecoveryOfARecovery(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.connect("bob", "laptop")
	w.advance(time.Minute)
	w.connect("bob", "phone")
	session := models.NewSessionID("bob", w.now())
	read := w.send("ann", chat, "read")
	w.lose("bob", "phone", session, read)
	w.advance(time.Minute)
	one, two := w.send("ann", chat, "one"), w.send("ann", chat, "two")
	w.advance(time.Minute)
	same(t, "first return", w.come("bob", &door{id: "p2", session: session, offset: string(read.ID)}), "one", "two")
	w.advance(time.Minute)

	again := func(socket, next models.SocketID, offset models.MessageID, want ...string) {
		t.Helper()
		w.parts(models.Departure{
			UserID: "bob", SocketID: socket, At: w.now(), Welcomed: true, Session: session, Backlog: 2,
			Sent: []models.Delivery{{ID: one.ID, At: one.CreatedAt}, {ID: two.ID, At: two.CreatedAt}},
		})
		d := &door{id: next, session: session, offset: string(offset)}
		same(t, string(next), w.come("bob", d), want...)
		if !d.resumed {
			t.Errorf("%s: the session did not go on", next)
		}
	}
	again("p2", "nothing read", read.ID, "one", "two")
	again("nothing read", "one read", one.ID, "two")
	again("one read", "both read", two.ID)
}

func TestRecoveryWaitsForTheSocketThatHoldsTheSession(t *testing.T) {
	w := newWorld(t)
	w.svc.Limits.RecoveryPatience = 10 * time.Second // the socket leaves in its own time
	chat := w.chat("ann", "bob")
	w.connect("bob", "dead")
	session := models.NewSessionID("bob", w.now())
	w.advance(time.Minute)
	read, unread := w.send("ann", chat, "read"), w.send("ann", chat, "unread")
	w.onPart = func(id models.SessionID) {
		if id != session {
			t.Errorf("told %q to go", id)
		}
		go w.lose("bob", "dead", session, read, unread)
	}
	d := &door{id: "new", session: session, offset: string(read.ID)}
	same(t, "backlog", w.come("bob", d), "unread")
	if !d.resumed {
		t.Error("the session did not go on")
	}
	for _, e := range w.events() {
		if _, ok := e.(models.UserOffline); ok {
			t.Error("bob was announced offline")
		}
	}
}

// Nobody knows what the socket had: its pod is dead. The message itself says.
func TestRecoveryByTheOffsetAlone(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.connect("bob", "ghost")
	session := models.NewSessionID("bob", w.now())
	w.advance(time.Minute)
	w.send("ann", chat, "long read")
	w.advance(time.Minute)
	read := w.send("ann", chat, "read")
	w.advance(time.Second)
	w.send("ann", chat, "missed")
	d := &door{id: "new", session: session, offset: string(read.ID)}
	same(t, "backlog", w.come("bob", d), "missed")
	if d.resumed {
		t.Error("the session went on, though what it missed is only concluded")
	}
	began := &door{id: "other", session: session}
	same(t, "nothing read since it began", w.come("bob", began), "long read", "read", "missed")
}

func TestRecoveryRefused(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob", "eve")
	w.connect("bob", "laptop")
	w.advance(time.Minute)
	w.connect("bob", "phone")
	session := models.NewSessionID("bob", w.now())
	read := w.send("ann", chat, "read")
	w.lose("bob", "phone", session, read)
	w.connect("eve", "e1")
	w.advance(time.Minute)
	missed := []string{}
	for _, text := range []string{"1", "2", "3", "4", "5", "6"} {
		w.send("ann", chat, text)
		missed = append(missed, text)
	}
	// eve stole it: she gets nothing by it, and bob still has it.
	thief := &door{id: "e2", session: session, offset: string(read.ID)}
	same(t, "the thief", w.come("eve", thief))
	if _, waits := w.sessions[session]; !waits {
		t.Error("the session was lost to the thief")
	}
	// MongoDB fails: the session is there for the next try.
	w.failing("since", errAway)
	if _, err := w.lets("bob", &door{id: "p2", session: session, offset: string(read.ID)}); !errors.Is(err, errAway) && models.CodeOf(err) != models.CodeUnavailable {
		t.Fatalf("got %v", err)
	}
	w.failing("since", nil)
	if _, waits := w.sessions[session]; !waits {
		t.Error("the session was lost to a failure")
	}
	// More was missed than is sent again: the client has to know.
	d := &door{id: "p3", session: session, offset: string(read.ID)}
	same(t, "the newest", w.come("bob", d), missed[1:]...)
	if thief.resumed || d.resumed {
		t.Error("a session went on that should not")
	}
}

func TestRecoveryOfWhatWasEnded(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.connect("bob", "laptop")
	w.advance(time.Minute)
	w.connect("bob", "phone")
	session := models.NewSessionID("bob", w.now())
	read := w.send("ann", chat, "read")
	w.parts(models.Departure{
		UserID: "bob", SocketID: "phone", At: w.now(), Welcomed: true, Session: session, Deliberate: true,
		Sent: []models.Delivery{{ID: read.ID, At: read.CreatedAt}},
	})
	w.send("ann", chat, "missed")
	d := &door{id: "p2", session: session, offset: string(read.ID)}
	same(t, "backlog", w.come("bob", d), "missed")
	if d.resumed {
		t.Error("the session went on")
	}
}

func TestUpTo(t *testing.T) {
	t0 := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	at := func(seconds float64) time.Time { return t0.Add(time.Duration(seconds * float64(time.Second))) }
	sent := func(id string, seconds float64) models.Delivery {
		return models.Delivery{ID: models.MessageID(id), At: at(seconds)}
	}
	before := models.Had{Heard: at(-1), Seen: []models.MessageID{"s"}}
	backlog := []models.Delivery{sent("b1", -600), sent("b2", -300)}
	all := func(sent ...models.Delivery) models.Session {
		return models.Session{UserID: "bob", Before: before, Came: at(0), Sent: sent}
	}
	late := all(sent("a", 100), sent("b", 103))
	late.From = at(100)
	back := models.Session{UserID: "bob", Before: models.Had{Heard: at(-900)}, Came: at(0), Sent: slices.Concat(backlog, []models.Delivery{sent("a", 1)}), Backlog: 2}
	for name, tc := range map[string]struct {
		session models.Session
		offset  models.MessageID
		heard   float64 // what the offset says
		since   float64 // and what was had, whatever else
		seen    []models.MessageID
		exact   bool
	}{
		"live, all known":          {all(sent("a", 100), sent("b", 105), sent("c", 106)), "b", 104.8, 104.8, []models.MessageID{"a", "b"}, true},
		"long behind":              {all(sent("a", 100), sent("b", 145), sent("c", 146)), "b", 144, 144, []models.MessageID{"b"}, true},
		"soon after it began":      {all(sent("a", 1), sent("b", 2)), "a", 0.5, 0.5, []models.MessageID{"s", "a"}, true},
		"before it had heard more": {all(sent("a", 1), sent("b", 2)), "a", -20, -1, []models.MessageID{"s", "a"}, true},
		"in the backlog":           {back, "b1", -600, -600, []models.MessageID{"b1"}, true},
		"what was before is gone":  {late, "b", 99, 99, []models.MessageID{"a", "b"}, false},
		"so it is, and heard":      {late, "b", 102, 102, []models.MessageID{"a", "b"}, true},
		"older than what is known": {late, "x", 98, 98, []models.MessageID{"x"}, false},
		"nothing of it":            {all(sent("a", 1), sent("b", 2)), "x", -2, -1, []models.MessageID{"s"}, true},
		"nobody left a word":       {models.Session{}, "x", 98, 98, []models.MessageID{"x"}, false},
	} {
		had, exact := upTo(tc.session, models.Offset{ID: tc.offset, Heard: at(tc.heard)})
		if exact != tc.exact || !had.Heard.Equal(at(tc.since)) || !slices.Equal(had.Seen, tc.seen) {
			t.Errorf("%s: heard %v, seen %v, %v; want %v, %v", name, had.Heard.Sub(t0), had.Seen, exact, tc.since, tc.seen)
		}
	}
}

// Somebody else's event ended in a text, which the client has for its offset. It
// says nothing, and neither does it make read what never reached the client.
func TestRecoveryByAForeignOffset(t *testing.T) {
	for name, tc := range map[string]struct {
		unread int
		want   []string
	}{
		"all was written": {0, []string{"missed"}},
		"not the last":    {1, []string{"two", "missed"}},
		"nothing was":     {2, []string{"one", "two", "missed"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			chat := w.chat("ann", "bob")
			w.connect("bob", "laptop")
			w.advance(time.Minute)
			w.connect("bob", "phone")
			session := models.NewSessionID("bob", w.now())
			w.advance(time.Minute)
			one := w.send("ann", chat, "one")
			two := w.send("ann", chat, "two")
			w.parts(models.Departure{
				UserID: "bob", SocketID: "phone", At: w.now(), Welcomed: true, Session: session, Unread: tc.unread,
				Sent: []models.Delivery{{ID: one.ID, At: one.CreatedAt}, {ID: two.ID, At: two.CreatedAt}},
			})
			w.advance(time.Minute)
			w.send("ann", chat, "missed")
			d := &door{id: "phone2", session: session, offset: "a notice of the frontend's"}
			same(t, "backlog", w.come("bob", d), tc.want...)
			if d.resumed {
				t.Error("the session went on, though what it missed is only concluded")
			}
		})
	}
}

// Nobody leaves a session of a socket whose pod was killed: who comes back is not
// let wait for one, and nobody is told to go. Of two sockets one may.
func TestRecoveryBesideADeadPod(t *testing.T) {
	for name, tc := range map[string]struct {
		dead   bool
		beside []models.SocketID
		asked  int
	}{
		"killed":                 {true, nil, 0},
		"killed, another beside": {true, []models.SocketID{"beside"}, 1},
		"alive":                  {false, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			chat := w.chat("ann", "bob")
			w.connect("bob", "old")
			for _, socket := range tc.beside {
				w.connect("bob", socket)
			}
			session := models.NewSessionID("bob", w.now())
			w.podOf["old"] = "other"
			for range 3 {
				if !tc.dead || len(w.marks) == 0 {
					w.marks["other"] = models.Mark{Sent: w.clock, Heard: w.clock}
				}
				if err := w.svc.hear(context.Background()); err != nil {
					t.Fatal(err)
				}
				w.advance(2 * goneAfter)
			}
			read := w.send("ann", chat, "read")
			w.advance(time.Millisecond)
			w.send("ann", chat, "missed")
			asked := 0
			w.onPart = func(models.SessionID) { asked++ }
			d := &door{id: "new", session: session, offset: string(read.ID)}
			same(t, "backlog", w.come("bob", d), "missed")
			if asked != tc.asked {
				t.Errorf("others were told to go %d times, want %d", asked, tc.asked)
			}
		})
	}
}
