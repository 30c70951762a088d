package rooms

import (
	"context"
	"testing"
	"time"

	"parley/models"
)

// beside puts a socket into the user's set that no Parley pod has in its books.
func (w *world) beside(user models.UserID, socket models.SocketID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sockets[user] = append(w.sockets[user], socket)
}

// A desktop on a Node pod, or what a Node pod that was killed has left behind:
// what Parley's sockets had is noted all the same.
func TestPagesBesideASocketThatIsNotOurs(t *testing.T) {
	for _, known := range []bool{true, false} {
		w := newWorld(t)
		chat := w.chat("ann", "bob")
		w.send("ann", chat, "from before")
		if known {
			same(t, "the first ever", w.connect("bob", "b"), "from before")
			w.disconnect("bob", "b")
			w.advance(time.Hour)
		}
		w.beside("bob", "node desktop")
		first := []string{"from before"}
		if known {
			first = nil
		}
		same(t, "the first page beside it", w.connect("bob", "b0"), first...)
		page := models.SocketID("b0")
		before := w.offline()
		for _, next := range []models.SocketID{"b1", "b2", "b3"} {
			w.advance(time.Minute)
			seen := w.send("ann", chat, "seen by "+string(page))
			w.disconnect("bob", page, seen.ID)
			w.advance(time.Second) // the note of a departure beside another of ours is forgotten by now
			w.send("ann", chat, "missed by "+string(page))
			same(t, string(next), w.connect("bob", next), "missed by "+string(page))
			page = next
		}
		if n := w.offline() - before; n != 0 {
			t.Errorf("%d offline announcements of one who is online on Node", n)
		}
	}
}

func TestADeviceOfOursBesideOneOfOursAndAStranger(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.beside("bob", "node ghost")
	w.connect("bob", "phone")
	w.advance(time.Hour)
	seen := w.send("ann", chat, "seen")
	w.advance(time.Hour)
	same(t, "a further device", w.connect("bob", "laptop"))
	w.disconnect("bob", "laptop", seen.ID)
	w.advance(time.Hour)
	w.send("ann", chat, "seen by the phone")
	w.advance(time.Minute)
	same(t, "the laptop again", w.connect("bob", "laptop again"))
}

// Nobody waits for a socket of ours to go where there is none.
func TestRecoveryBesideAStrangerWaitsForNobody(t *testing.T) {
	w := newWorld(t)
	w.chat("ann", "bob")
	w.beside("bob", "node ghost")
	parted := 0
	w.onPart = func(models.SessionID) { parted++ }
	d := &door{id: "b1", session: models.NewSessionID("bob", w.now()), offset: ""}
	if _, err := w.lets("bob", d); err != nil || parted != 0 {
		t.Errorf("%v, told %d to go", err, parted)
	}
}

func TestWhoGivesUpBesideAStranger(t *testing.T) {
	w, chat := awayWorld(t)
	w.beside("bob", "node ghost")
	w.failsWith("b1", "since", nil)
	w.advance(time.Minute)
	same(t, "back", w.connect("bob", "b2"), "missed")
	w.advance(time.Minute)
	seen := w.send("ann", chat, "seen")
	w.failsWith("b3", "since", func() { w.disconnect("bob", "b2", seen.ID) })
	w.advance(time.Minute)
	w.send("ann", chat, "later")
	same(t, "back again", w.connect("bob", "b4"), "later")
}

// Redis lost its data: the sockets are put back beside one that is not ours.
func TestRestoredBesideAStranger(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.connect("bob", "b1")
	w.send("ann", chat, "seen")
	if err := (absences{w}).SaveAbsence(context.Background(), "bob", models.Absence{Since: w.now().Add(-time.Hour)}); err != nil {
		t.Fatal(err)
	}
	w.advance(time.Hour)
	w.beside("bob", "node desktop")
	w.svc.Restored(context.Background(), "bob", "b1", 1)
	w.advance(time.Minute)
	same(t, "a further device", w.connect("bob", "b2"))
}

func TestStrangerGone(t *testing.T) {
	answered := func(w *world) time.Time { return w.now().Add(-3 * time.Minute) }
	t.Run("others are left", func(t *testing.T) {
		w, _ := awayWorld(t)
		before := len(w.events())
		w.svc.StrangerGone(context.Background(), models.Stranger{UserID: "bob"}, 1)
		if n := len(w.events()) - before; n != 0 {
			t.Errorf("%d announcements", n)
		}
	})
	t.Run("what Parley noted goes on", func(t *testing.T) {
		w, _ := awayWorld(t)
		before := w.offline()
		w.svc.StrangerGone(context.Background(), models.Stranger{UserID: "bob", Answered: answered(w)}, 0)
		if n := w.offline() - before; n != 1 {
			t.Errorf("announced %d times", n)
		}
		same(t, "back", w.connect("bob", "b1"), "missed")
	})
	t.Run("one whom Parley has not seen is away since it was last answered for", func(t *testing.T) {
		w := newWorld(t)
		chat := w.chat("ann", "bob")
		w.send("ann", chat, "had it on Node")
		w.advance(time.Hour)
		died := w.now()
		w.advance(time.Minute)
		w.send("ann", chat, "missed")
		w.advance(3 * time.Minute)
		w.census = map[models.UserID]time.Time{"bob": w.now()} // it saw the ghost
		w.svc.StrangerGone(context.Background(), models.Stranger{UserID: "bob", Answered: died}, 0)
		w.announce()
		w.advance(time.Minute)
		same(t, "back", w.connect("bob", "b1"), "missed")
		if last, ok := w.events()[len(w.events())-2].(models.UserOffline); !ok || !last.LastSeen.Equal(died) {
			t.Errorf("%+v", last)
		}
	})
	t.Run("or since nobody knows when", func(t *testing.T) {
		w := newWorld(t)
		chat := w.chat("ann", "bob")
		w.send("ann", chat, "perhaps missed")
		w.advance(time.Hour)
		w.census = map[models.UserID]time.Time{"bob": w.now()}
		w.svc.StrangerGone(context.Background(), models.Stranger{UserID: "bob"}, 0)
		same(t, "back", w.connect("bob", "b1"), "perhaps missed")
	})
}

// A note that cannot be made costs a repetition or a look-up, never the way in.
func TestWhatCannotBeNotedRefusesNobody(t *testing.T) {
	for _, op := range []string{"saveAbsence", "markBack"} {
		t.Run(op, func(t *testing.T) {
			w, chat := awayWorld(t)
			w.failing(op, errAway)
			same(t, "back", w.connect("bob", "b1"), "missed")
			w.failing(op, nil)
			if w.dropped["return_not_saved"]+w.dropped["return_not_noted"] != 1 {
				t.Errorf("counted %v", w.dropped)
			}
			w.advance(time.Minute)
			seen := w.send("ann", chat, "seen")
			w.disconnect("bob", "b1", seen.ID)
			w.send("ann", chat, "later")
			same(t, "the next time", w.connect("bob", "b2"), "later")
		})
	}
}

// A claim from a time that has not come yet keeps nobody waiting until then.
func TestAClaimOfATimeToComeIsTakenOver(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.requests[requestKey("ann", "k")] = models.Request{Key: requestKey("ann", "k"), ClaimedAt: w.now().AddDate(1, 0, 0), Messages: []models.Message{
		{ID: w.NewMessageID(), ChatID: chat, SenderID: "ann", Type: models.Text, Text: "claimed"},
	}}
	m, err := w.svc.Send(context.Background(), models.Draft{ChatID: chat, SenderID: "ann", Text: "claimed", IdempotencyKey: "k"})
	if err != nil || len(m) != 1 || m[0].Text != "claimed" {
		t.Errorf("%v, %v", m, err)
	}
}
