package rooms

import (
	"context"
	"testing"
	"time"

	"parley/models"
)

// meet lets a socket in, while it happens what else happens once its rooms are
// entered, and returns the texts of its backlog.
func (w *world) meet(socket models.SocketID, meanwhile func()) []string {
	w.t.Helper()
	backlog, err := w.lets("bob", &door{id: socket, onEnter: meanwhile})
	if err != nil {
		w.t.Fatal(err)
	}
	return texts(backlog)
}

// awayWorld is one in which bob, who was away for an hour, missed a message.
func awayWorld(t *testing.T) (*world, models.ChatID) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.connect("bob", "b0")
	w.disconnect("bob", "b0")
	w.advance(time.Minute)
	w.send("ann", chat, "missed")
	w.advance(time.Hour)
	return w, chat
}

func (w *world) offline() (n int) {
	for _, e := range w.events() {
		if _, ok := e.(models.UserOffline); ok {
			n++
		}
	}
	return n
}

// The old page's pod hears of its end only after the new page is there.
func TestReloadThatOvertakesTheOldSocket(t *testing.T) {
	for _, late := range []time.Duration{0, 5 * time.Millisecond, 1400 * time.Millisecond} { // the last between the last two looks
		w, chat := awayWorld(t)
		w.svc.Limits.ReloadPatience = 2 * time.Second
		same(t, "first", w.connect("bob", "b1"), "missed")
		w.advance(time.Second)
		seen := w.send("ann", chat, "seen")
		left := models.Departure{UserID: "bob", SocketID: "b1", At: w.now(), Had: models.Had{Seen: []models.MessageID{seen.ID}}, Welcomed: true}
		w.advance(time.Second)
		w.send("ann", chat, "between the pages")
		gone := make(chan struct{})
		got := w.meet("b2", func() {
			go func() {
				defer close(gone)
				time.Sleep(late)
				w.parts(left)
			}()
		})
		<-gone
		same(t, "the new page", got, "between the pages")
	}
}

// All of the old page's departure falls between two looks of the new page.
func TestReloadWhoseOldSocketGoesMeanwhile(t *testing.T) {
	w, chat := awayWorld(t)
	same(t, "first", w.connect("bob", "b1"), "missed")
	w.advance(time.Second)
	seen := w.send("ann", chat, "seen")
	same(t, "the new page", w.meet("b2", func() { w.disconnect("bob", "b1", seen.ID) }))
}

// justBack is Redis that comes back right after a departure was to be noted.
type justBack struct {
	Presence
	away bool
}

func (p *justBack) MarkAway(ctx context.Context, user models.UserID, by models.SocketID, absence models.Absence) error {
	if p.away {
		p.away = false
		return models.Unavailable("Redis", errAway)
	}
	return p.Presence.MarkAway(ctx, user, by, absence)
}

// The old page's pod cannot note its departure, and the moment after can take it out:
// the new page, on another, finds the note all the same.
func TestReloadWhenRedisIsJustBack(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.connect("bob", "old")
	w.advance(time.Hour)
	seen := w.send("ann", chat, "seen")
	heard := w.now()
	w.advance(time.Second)
	w.send("ann", chat, "between the pages")
	w.svc.Presence = &justBack{Presence: w.svc.Presence, away: true}
	w.probe = func(models.UserID, models.SocketID) int {
		w.parts(models.Departure{UserID: "bob", SocketID: "old", At: heard, Welcomed: true, Had: models.Had{Seen: []models.MessageID{seen.ID}}})
		clear(w.svc.owes) // that is another pod's
		return 0
	}
	d := &door{id: "new"}
	if _, err := w.lets("bob", d); err != nil {
		t.Fatal(err)
	}
	same(t, "the new page", texts(d.later(context.Background())), "between the pages")
}

func TestReloadsInARowAreToldApart(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.svc.Limits.ReloadPatience = 900 * time.Millisecond
	w.connect("bob", "b0")
	page := models.SocketID("b0")
	for _, next := range []models.SocketID{"b1", "b2", "b3"} {
		w.advance(time.Second) // the last departure is forgotten
		seen := w.send("ann", chat, "seen by "+string(page))
		left := models.Departure{UserID: "bob", SocketID: page, At: w.now(), Had: models.Had{Seen: []models.MessageID{seen.ID}}, Welcomed: true}
		w.advance(500 * time.Millisecond)
		gone := make(chan struct{})
		got := w.meet(next, func() {
			go func() {
				defer close(gone)
				time.Sleep(5 * time.Millisecond)
				w.parts(left)
			}()
		})
		<-gone
		same(t, string(next), got)
		page = next
	}
}

func TestWhoComesRightBehindOneThatLeftIsTakenForIt(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.connect("bob", "phone")
	w.advance(time.Minute)
	w.connect("bob", "page")
	w.advance(time.Minute)
	seen := w.send("ann", chat, "seen by both")
	w.disconnect("bob", "page", seen.ID)
	w.send("ann", chat, "seen by the phone")
	w.advance(40 * time.Millisecond) // less than ReloadPatience
	same(t, "the page again", w.connect("bob", "page again"), "seen by the phone")
	w.advance(20 * time.Millisecond)
	same(t, "too late", w.connect("bob", "laptop"))
}

// The second device may be quicker than the first, and even be gone again
// before the first looks: what the first missed does not change.
func TestSecondDeviceOvertakesTheFirst(t *testing.T) {
	for _, forgot := range []bool{false, true} {
		w, _ := awayWorld(t)
		if forgot {
			clear(w.noted) // Redis lost it; the database knows
		}
		same(t, "first", w.meet("b1", func() { same(t, "second", w.connect("bob", "b2"), "missed") }), "missed")
		same(t, "third", w.connect("bob", "b3"), "missed")
	}
	t.Run("and leaves", func(t *testing.T) {
		for _, forgot := range []bool{false, true} {
			w, _ := awayWorld(t)
			if forgot {
				clear(w.noted)
			}
			missed := w.messages[0].ID
			same(t, "first", w.meet("b1", func() {
				same(t, "second", w.connect("bob", "b2"), "missed")
				w.advance(time.Millisecond)
				w.disconnect("bob", "b2", missed)
			}), "missed")
		}
	})
	t.Run("after a reload", func(t *testing.T) {
		w := newWorld(t)
		chat := w.chat("ann", "bob")
		w.connect("bob", "b1")
		w.advance(time.Minute)
		seen := w.send("ann", chat, "seen")
		w.advance(time.Second)
		w.disconnect("bob", "b1", seen.ID)
		same(t, "first", w.meet("b2", func() { same(t, "second", w.connect("bob", "b3")) }))
	})
}

// One reloads while two that came together wait for a third: it still shares
// what the first was sent.
func TestReloadTakesNothingFromThoseWhoComeTogether(t *testing.T) {
	w, _ := awayWorld(t)
	missed := w.messages[0].ID
	same(t, "first", w.connect("bob", "b1"), "missed")
	same(t, "second", w.connect("bob", "b2"), "missed")
	w.advance(500 * time.Millisecond)
	w.disconnect("bob", "b1", missed)
	w.advance(40 * time.Millisecond)
	same(t, "the first again", w.comes(&door{id: "b3"}))
	w.advance(2 * time.Second)
	same(t, "third", w.connect("bob", "b4"), "missed")
}

// What is shared may come twice; that is no reason to refuse a socket.
func TestRedisFailsWhileADepartureIsLookedFor(t *testing.T) {
	w, _ := awayWorld(t)
	w.svc.Limits.ReloadPatience = 200 * time.Millisecond
	w.connect("bob", "b1")
	failed := make(chan struct{})
	got := w.meet("b2", func() {
		go func() {
			defer close(failed)
			time.Sleep(20 * time.Millisecond)
			w.failing("away", errAway)
		}()
	})
	<-failed
	same(t, "beside", got, "missed")
}

func TestWhatADepartureHadIsBounded(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	socket := models.SocketID("b")
	w.connect("bob", socket)
	for range models.MaxSeen/100 + 5 { // one that comes and goes, without ten quiet seconds
		var seen []models.MessageID
		for range 100 {
			seen = append(seen, w.send("ann", chat, "x").ID)
		}
		w.advance(2 * time.Second)
		w.disconnect("bob", socket, seen...)
		socket += "b"
		same(t, "again", w.connect("bob", socket))
	}
	w.disconnect("bob", socket)
	if n := len(w.noted["bob"].absence.Seen); n > models.MaxSeen || n < models.MaxSeen/4 {
		t.Errorf("%d remembered", n)
	}
}

// The note is there before the set is empty; the database hears of it after.
func TestFirstBackBeforeTheDatabaseHeardOfTheAbsence(t *testing.T) {
	w, chat := awayWorld(t)
	w.connect("bob", "b1")
	w.advance(time.Minute)
	seen := w.send("ann", chat, "seen")
	stale := w.saved["bob"]
	w.disconnect("bob", "b1", seen.ID)
	w.saved["bob"] = stale
	w.send("ann", chat, "missed again")
	same(t, "back", w.connect("bob", "b2"), "missed again")
}
