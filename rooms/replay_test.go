package rooms

import (
	"context"
	"reflect"
	"testing"
	"time"

	"parley/models"
)

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if want == nil {
		want = []string{}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestReplaySendsWhatWasMissedOnce(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	same(t, "first connect", w.connect("bob", "b1"))
	w.advance(time.Minute)
	seen := w.send("ann", chat, "while online")
	w.disconnect("bob", "b1", seen.ID)
	w.advance(time.Second)
	w.send("ann", chat, "one")
	w.send("ann", chat, "two")
	w.advance(time.Hour)
	same(t, "after the absence", w.connect("bob", "b2"), "one", "two")
	w.advance(time.Minute)
	same(t, "a later second device", w.connect("bob", "b3"))
	w.disconnect("bob", "b3")
	w.disconnect("bob", "b2")
	w.advance(time.Minute)
	same(t, "a reload with nothing missed", w.connect("bob", "b4"))
}

func TestReplayToSomebodyNeverSeenBeginsAtInstallation(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	old := models.Message{ID: w.NewMessageID(), ChatID: chat, Text: "from before Parley", CreatedAt: time.Date(2025, 12, 31, 23, 59, 59, 0, time.UTC)}
	w.messages = append(w.messages, old)
	w.send("ann", chat, "since")
	same(t, "never seen", w.connect("bob", "b1"), "since")
	w.advance(time.Hour)
	same(t, "second device an hour later", w.connect("bob", "b2"))
}

// Somebody Node has served so far: what came until a dead connection would have
// been noticed there was theirs already.
func TestReplayToSomebodyWhoComesFromNode(t *testing.T) {
	for _, tc := range []struct {
		name   string
		online time.Duration // before the connect; 0 for never seen
		others []models.SocketID
		want   []string
	}{
		{"seen online a minute ago", time.Minute, nil, []string{"late", "later"}},
		{"seen online just now", time.Second, nil, []string{"later"}},
		{"never seen", 0, nil, []string{"early", "late", "later"}},
		{"seen online, and a socket still counts", time.Second, []models.SocketID{"node"}, []string{"early", "late", "later"}},
		{"seen online before Parley came", 24 * time.Hour, nil, []string{"early", "late", "later"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			chat := w.chat("ann", "bob")
			w.send("ann", chat, "early")
			w.advance(time.Hour)
			w.send("ann", chat, "late")
			w.advance(time.Minute)
			w.send("ann", chat, "later")
			w.advance(30 * time.Second)
			w.sockets["bob"] = tc.others
			if tc.online > 0 {
				w.census = map[models.UserID]time.Time{"bob": w.now().Add(-tc.online)}
			}
			same(t, tc.name, w.connect("bob", "b1"), tc.want...)
		})
	}
}

func TestReplayCrossesTheMomentOfLeaving(t *testing.T) {
	// Time-stamped before bob left, emitted after: he was never sent it.
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.connect("bob", "b1")
	w.advance(time.Minute)
	sent := w.send("ann", chat, "sent to the socket")
	w.send("ann", chat, "still on its way")
	w.advance(20 * time.Millisecond)
	w.disconnect("bob", "b1", sent.ID)
	same(t, "the one on its way", w.connect("bob", "b2"), "still on its way")
}

func TestDevicesThatComeTogetherShareTheReplay(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.connect("bob", "b0")
	w.disconnect("bob", "b0")
	w.advance(time.Minute)
	w.send("ann", chat, "missed")
	same(t, "first", w.connect("bob", "b1"), "missed")
	w.advance(2 * time.Second)
	same(t, "second", w.connect("bob", "b2"), "missed")
	w.advance(4 * time.Second)
	same(t, "too late", w.connect("bob", "b3"))
}

func TestReplayLimitKeepsTheNewestOldestFirst(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.connect("bob", "b0")
	seen := w.send("ann", chat, "seen")
	w.disconnect("bob", "b0", seen.ID)
	for _, text := range []string{"1", "2", "3", "4", "5", "6", "7"} {
		w.advance(time.Second)
		w.send("ann", chat, text)
	}
	same(t, "limit 5", w.connect("bob", "b1"), "3", "4", "5", "6", "7")
	w.svc.Limits.Replay = 0
	w.disconnect("bob", "b1")
	w.send("ann", chat, "8")
	same(t, "replay off", w.connect("bob", "b2"))
}

func TestSocketThatNeverHeardItsBacklogEndsNoAbsence(t *testing.T) {
	w, chat := awayWorld(t)
	t.Run("left before it was sent", func(t *testing.T) {
		w.connect("bob", "b1")
		w.parts(models.Departure{UserID: "bob", SocketID: "b1", At: w.now()})
		w.advance(time.Minute)
		same(t, "again", w.connect("bob", "b2"), "missed")
	})
	t.Run("silent ever since", func(t *testing.T) {
		at := w.svc.now() // last heard when it was welcomed
		w.advance(45 * time.Second)
		w.parts(models.Departure{UserID: "bob", SocketID: "b2", At: at, Reason: "ping timeout", Welcomed: true})
		same(t, "again", w.connect("bob", "b3"), "missed")
	})
	t.Run("silent since it took a part of it", func(t *testing.T) {
		at := w.svc.now()
		w.send("ann", chat, "not taken")
		w.parts(models.Departure{UserID: "bob", SocketID: "b3", At: at, Welcomed: true, Had: models.Had{Seen: []models.MessageID{w.messages[0].ID}}})
		same(t, "the rest", w.connect("bob", "b4"), "not taken")
	})
}

func TestFailedConnectLeavesNothingAndForgetsNothing(t *testing.T) {
	for _, op := range []string{"add", "chatsOf", "away", "since"} {
		t.Run(op, func(t *testing.T) {
			w := newWorld(t)
			chat := w.chat("ann", "bob")
			w.connect("bob", "b0")
			w.disconnect("bob", "b0")
			w.advance(time.Minute)
			w.send("ann", chat, "missed")
			if op == "away" {
				clear(w.noted) // else the note read on arrival decides, and nobody asks again
			}
			before := len(w.emitted)
			w.failing(op, errAway)
			w.advance(time.Minute)
			if _, err := w.lets("bob", &door{id: "b1"}); models.CodeOf(err) != models.CodeUnavailable {
				t.Fatalf("err %v", err)
			}
			if n := len(w.sockets["bob"]); n != 0 {
				t.Errorf("%d sockets left in presence", n)
			}
			if len(w.emitted) != before {
				t.Errorf("announced %v", w.emitted[before:])
			}
			if len(w.svc.welcomes) != 0 {
				t.Error("a welcome is left behind")
			}
			w.failing(op, nil)
			w.advance(time.Minute)
			same(t, "the next try", w.connect("bob", "b2"), "missed")
		})
	}
}

func TestRedisThatForgotStillReplaysFromTheDatabase(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.connect("bob", "b0")
	w.advance(time.Minute)
	w.send("ann", chat, "seen long ago")
	w.advance(time.Minute)
	w.disconnect("bob", "b0")
	w.advance(time.Minute)
	w.send("ann", chat, "missed")
	clear(w.noted)
	same(t, "after FLUSHALL", w.connect("bob", "b1"), "missed")
}

func TestWhoWasBackWhenEverythingDiedIsNotSentTheOldAbsenceAgain(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.connect("bob", "b0")
	w.disconnect("bob", "b0")
	w.advance(time.Minute)
	w.send("ann", chat, "missed")
	w.advance(time.Minute)
	same(t, "back", w.connect("bob", "b1"), "missed")
	w.advance(time.Minute)
	clear(w.noted) // Redis and the pod die without a word
	clear(w.sockets)
	w.send("ann", chat, "perhaps not seen")
	same(t, "after the crash", w.connect("bob", "b2"), "perhaps not seen")
}

// A pod is killed right after somebody came back to it. What they had before is not
// in doubt, what that pod gave them is; and where Redis has forgotten whose it was,
// what was said long before the pod died is not, either.
func TestWhoseLastPodWasKilled(t *testing.T) {
	for name, forgets := range map[string]bool{"cleaned up after": false, "forgotten": true} {
		w := newWorld(t)
		ctx := context.Background()
		chat := w.chat("ann", "bob")
		hears := func() {
			if err := w.svc.hear(ctx); err != nil {
				t.Fatal(err)
			}
		}
		hears()
		w.connect("bob", "b0")
		w.advance(time.Minute)
		live := w.send("ann", chat, "live")
		w.disconnect("bob", "b0", live.ID)
		w.send("ann", chat, "missed")
		w.advance(time.Second)
		same(t, name+": back", w.connect("bob", "b1"), "missed")
		if forgets {
			w.send("ann", chat, "long before")
			w.advance(w.svc.Limits.Unheard + 2*time.Second)
		}
		w.send("ann", chat, "perhaps not seen")
		delete(w.svc.welcomes, "b1")
		w.marks["other"] = models.Mark{Sent: w.clock, Heard: w.clock}
		hears()
		w.advance(2 * suspectAfter)
		hears()
		w.advance(time.Second)
		clear(w.noted)
		clear(w.sockets)
		want := []string{"perhaps not seen"}
		if !forgets {
			w.svc.Departed(ctx, models.Departure{UserID: "bob", SocketID: "b1", At: w.now(), Pod: "other"}, 0)
			want = []string{"missed", "perhaps not seen"}
		}
		same(t, name, w.connect("bob", "b2"), want...)
	}
}

func TestConnectEntersBeforeItReadsTheBacklog(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	d := &door{id: "b1", onEnter: func() { w.send("ann", chat, "posted while entering") }}
	backlog, err := w.lets("bob", d)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "backlog", texts(backlog), "posted while entering")
	if want := []string{"identify", "enter 1"}; !reflect.DeepEqual(d.steps, want) {
		t.Errorf("steps %q, want %q", d.steps, want)
	}
}

func TestWhatAnEarlierSocketOrAnotherDeviceHadIsNotSentAgain(t *testing.T) {
	t.Run("an earlier socket", func(t *testing.T) {
		w := newWorld(t)
		chat := w.chat("ann", "bob")
		w.connect("bob", "b1")
		w.advance(time.Second)
		live := w.send("ann", chat, "live")
		w.disconnect("bob", "b1", live.ID)
		w.send("ann", chat, "missed")
		for _, socket := range []models.SocketID{"b2", "b3", "b4"} {
			want := []string{"missed"}
			if socket != "b2" {
				want = []string{}
			}
			same(t, string(socket), w.connect("bob", socket), want...)
			w.advance(time.Second)
			w.disconnect("bob", socket)
		}
	})
	t.Run("another device", func(t *testing.T) {
		w := newWorld(t)
		chat := w.chat("ann", "bob")
		w.connect("bob", "phone")
		w.advance(time.Minute)
		live := w.send("ann", chat, "live on the phone")
		w.advance(time.Second)
		same(t, "laptop", w.connect("bob", "laptop"))
		w.advance(time.Second)
		w.disconnect("bob", "phone", live.ID)
		w.advance(time.Second)
		w.disconnect("bob", "laptop")
		w.send("ann", chat, "missed")
		same(t, "back", w.connect("bob", "phone again"), "missed")
	})
}

// The old page's pod has noted the absence and forgets it again as soon as it
// sees the new page's socket, which is all the user has.
func TestReloadWhoseOldSocketForgetsItsNote(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.connect("bob", "b1")
	w.advance(time.Second) // well within the grace of the first device
	seen := w.send("ann", chat, "seen")
	w.advance(100 * time.Millisecond)
	if err := (presence{w}).MarkAway(context.Background(), "bob", "b1", models.Absence{Since: w.now(), Had: models.Had{Seen: []models.MessageID{seen.ID}}}); err != nil {
		t.Fatal(err)
	}
	w.onAdd = func(user models.UserID) { delete(w.noted, user) }
	same(t, "the new page", w.connect("bob", "b2"))
}
