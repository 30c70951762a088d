package rooms

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"parley/models"
)

// toldOf are the announcements so far, as "who on" or "who off".
func (w *world) toldOf() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	told := []string{}
	for _, e := range w.emitted {
		switch ev := e.event.(type) {
		case models.UserOnline:
			told = append(told, string(ev.UserID)+" on")
		case models.UserOffline:
			told = append(told, string(ev.UserID)+" off")
		}
	}
	return told
}

func wantTold(t *testing.T, w *world, what string, want ...string) {
	t.Helper()
	if got := w.toldOf(); !reflect.DeepEqual(got, append([]string{}, want...)) {
		t.Errorf("%s: told %q, want %q", what, got, want)
	}
}

func TestAFlapIsToldToNobody(t *testing.T) {
	w := newWorld(t)
	w.chat("ann", "bob")
	w.patient = true
	w.connect("bob", "b1")
	w.disconnect("bob", "b1")
	w.advance(time.Second)
	w.connect("bob", "b2")
	w.due()
	wantTold(t, w, "back in time", "bob on")
	w.advance(time.Minute)
	left := w.now()
	w.disconnect("bob", "b2")
	w.advance(time.Second)
	w.due()
	if got := w.last(); !reflect.DeepEqual(got, models.UserOffline{UserID: "bob", LastSeen: left}) {
		t.Errorf("told %+v, want that bob left at %v", got, left)
	}
	w.connect("bob", "b3")
	wantTold(t, w, "back too late", "bob on", "bob off", "bob on")
}

// Who was told by REST that somebody is gone has to hear that they are back.
func TestWhoIsAskedForWithinTheGraceIsToldOf(t *testing.T) {
	for name, ask := range map[string]func(w *world) (models.Presence, error){
		"one": func(w *world) (models.Presence, error) { return w.svc.PresenceOf(context.Background(), "ann", "bob") },
		"several": func(w *world) (models.Presence, error) {
			all, err := w.svc.PresencesOf(context.Background(), "ann", []models.UserID{"bob", "ann"})
			return all[0], err
		},
	} {
		w := newWorld(t)
		w.chat("ann", "bob")
		w.patient = true
		w.connect("bob", "b1")
		w.disconnect("bob", "b1")
		w.advance(time.Second)
		if p, err := ask(w); err != nil || p.UserID != "bob" || p.Sockets != 0 {
			t.Fatalf("%s: %+v, %v", name, p, err)
		}
		w.connect("bob", "b2")
		wantTold(t, w, name, "bob on", "bob off", "bob on")
	}
}

// One who is refused within the grace, again and again, has not come back.
func TestARefusedFlapIsToldOffline(t *testing.T) {
	for _, removed := range []bool{true, false} {
		w := newWorld(t)
		w.chat("ann", "bob")
		w.patient = true
		w.connect("bob", "b1")
		left := w.now()
		w.disconnect("bob", "b1")
		w.advance(time.Second)
		d := &door{id: "b2"}
		for range 2 {
			w.failing("chatsOf", errAway)
			if !removed {
				w.failing("remove", errAway)
			}
			if _, err := w.lets("bob", d); err == nil {
				t.Fatal("let in without chats")
			}
			w.failing("chatsOf", nil)
			w.failing("remove", nil)
			if w.mu.Lock(); !removed { // it was looked who is gone, and bob was not
				delete(w.untold, "bob")
			}
			w.mu.Unlock()
		}
		if !removed {
			w.sockets["bob"] = nil
			w.svc.Departed(context.Background(), models.Departure{UserID: "bob", SocketID: "b2", At: w.now()}, 0)
		}
		w.due()
		wantTold(t, w, fmt.Sprintf("refused, removed %v", removed), "bob on", "bob off")
		if got, ok := w.last().(models.UserOffline); !ok || !got.LastSeen.Equal(left) {
			t.Errorf("gone since %v, want %v", got.LastSeen, left)
		}
	}
}

func TestALargeChatIsNotToldWhoComesAndGoes(t *testing.T) {
	w := newWorld(t) // chats of up to four are
	small, large := w.chat("ann", "bob", "cem", "dee"), w.chat("ann", "bob", "cem", "dee", "eve")
	for _, u := range []models.UserID{"bob", "eve"} {
		w.connect(u, models.SocketID(u))
		w.disconnect(u, models.SocketID(u))
	}
	wantTold(t, w, "in a large chat and a small one", "bob on", "bob off")
	for _, e := range w.emitted {
		if !reflect.DeepEqual(e.to.Chats, []models.ChatID{small}) {
			t.Errorf("%+v was told to %v, want %v and not %v", e.event, e.to.Chats, small, large)
		}
	}
}

// Many who go at once cost one look at the chats, and so do many who come.
func TestThoseWhoGoTogetherAreLookedUpTogether(t *testing.T) {
	w := newWorld(t)
	w.patient = true
	first, second := w.chat("ann", "bob", "cem"), w.chat("ann", "bob")
	for _, u := range []models.UserID{"bob", "cem"} {
		w.connect(u, models.SocketID(u))
	}
	w.chatLooks = 0
	for _, u := range []models.UserID{"bob", "cem"} {
		w.disconnect(u, models.SocketID(u))
	}
	w.due()
	if w.chatLooks != 1 {
		t.Errorf("the chats were looked up %d times", w.chatLooks)
	}
	wantTold(t, w, "two", "bob on", "cem on", "bob off", "cem off")
	for _, e := range w.emitted[2:] {
		want := map[models.UserID]int{"bob": 2, "cem": 1}
		off, _ := e.event.(models.UserOffline)
		if len(e.to.Chats) != want[off.UserID] || !reflect.DeepEqual(e.to.ExceptUsers, []models.UserID{off.UserID}) {
			t.Errorf("of %s was told to %+v; there are %s and %s", off.UserID, e.to, first, second)
		}
	}
}

func TestWhoLeftIsToldOfOnceTheDatabaseIsBack(t *testing.T) {
	w := newWorld(t)
	w.chat("ann", "bob")
	w.patient = true
	w.connect("bob", "b1")
	w.disconnect("bob", "b1")
	w.failing("chatsOf", errAway)
	untold := []models.Untold{{UserID: "bob", Left: w.now()}}
	if err := w.svc.Untold(context.Background(), untold); models.CodeOf(err) != models.CodeUnavailable {
		t.Errorf("told without chats: %v", err)
	}
	w.failing("chatsOf", nil)
	w.due()
	wantTold(t, w, "later", "bob on", "bob off")
	// What cannot be noted has no grace.
	w.failing("noteLeft", errAway)
	w.connect("bob", "b2")
	w.sockets["bob"] = nil
	w.svc.Departed(context.Background(), models.Departure{UserID: "bob", SocketID: "b2", At: w.now()}, 0)
	wantTold(t, w, "at once", "bob on", "bob off", "bob on", "bob off")
}

// A Redis that lost its data has told nobody that anybody left.
func TestRestoredWithoutHavingBeenGoneIsToldToNobody(t *testing.T) {
	w := newWorld(t)
	w.chat("ann", "bob")
	w.connect("bob", "b1")
	w.svc.Restored(context.Background(), "bob", "b1", 0)
	w.announce()
	wantTold(t, w, "restored", "bob on")
}

// What counted beside it at its first try is told of as gone before it is let in.
func TestWhoIsLetInAfterTheLastWasToldOfIsAnnounced(t *testing.T) {
	w := newWorld(t)
	w.chat("ann", "bob")
	w.connect("bob", "ghost")
	delete(w.svc.welcomes, "ghost") // it is another pod's
	d := &door{id: "b1"}
	w.failing("chatsOf", errAway)
	if _, err := w.svc.Connect(context.Background(), "bob", d); err == nil {
		t.Fatal("let in without chats")
	}
	w.failing("chatsOf", nil)
	w.disconnect("bob", "ghost")
	if _, err := w.svc.Connect(context.Background(), "bob", d); err != nil {
		t.Fatal(err)
	}
	w.announce()
	wantTold(t, w, "let in", "bob on", "bob off", "bob on")
}

// Redis has lost all, and the pod that had bob died with it.
func TestWhoIsForgottenIsToldOfOnce(t *testing.T) {
	w := newWorld(t)
	w.chat("ann", "bob", "eve")
	w.connect("bob", "b1")
	w.connect("eve", "e1")
	w.advance(time.Minute)
	w.sockets["bob"] = nil
	for range 2 {
		if err := w.svc.Forgotten(context.Background(), w.now()); err != nil {
			t.Fatal(err)
		}
		w.due()
		w.advance(time.Minute)
	}
	wantTold(t, w, "forgotten", "bob on", "eve on", "bob off")
	w.connect("bob", "b2")
	w.sockets["bob"] = nil
	w.failing("online", errAway)
	w.failing("takenForOnline", errAway)
	if err := w.svc.Forgotten(context.Background(), w.now()); err == nil {
		t.Error("no error")
	}
}

// That a user is offline is told to the other pods late, because Redis was away: who is
// back by then is announced again behind it.
func TestBackBeforeOthersAreToldOfTheLeaving(t *testing.T) {
	for name, tc := range map[string]struct {
		took time.Duration
		back bool
		want int
	}{"late": {5 * time.Second, true, 1}, "at once": {100 * time.Millisecond, true, 0}, "still gone": {5 * time.Second, false, 0}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.chat("ann", "bob")
			w.connect("bob", "b1")
			w.disconnect("bob", "b1")
			w.advance(tc.took)
			handed := w.svc.now()
			if tc.back {
				w.connect("bob", "b2")
			}
			w.emitted = nil
			for range 2 { // the second time nothing is in doubt
				w.svc.backSince(context.Background(), handed)
			}
			if len(w.emitted) != tc.want {
				t.Errorf("told %+v", w.emitted)
			}
		})
	}
}

// A socket that is let in and turned out at once, which waited at the door for long, has
// not left before it came: others are told when its user stays away from now on.
func TestTurnedOutAgainHasItsGrace(t *testing.T) {
	w := newWorld(t)
	w.patient = true
	w.chat("ann", "bob")
	heard := w.now()
	w.advance(time.Minute)
	came := w.svc.now()
	w.connect("bob", "b1")
	w.parts(models.Departure{UserID: "bob", SocketID: "b1", At: heard, Reason: "unavailable"})
	if left := w.untold["bob"]; !left.Equal(came) {
		t.Errorf("left at %v, came at %v", left, came)
	}
}
