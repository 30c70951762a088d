package rooms

import (
	"context"
	"fmt"
	"testing"
	"time"

	"parley/models"
)

// While this pod heard nobody, Bob was shown the door of one chat and let into
// another.
func TestCatchUpMovesWhoWasMovedAndThenTells(t *testing.T) {
	w := newWorld(t)
	left, stayed, entered := w.chat("alice"), w.chat("alice", "bob"), w.chat("alice", "bob")
	w.seats = map[models.UserID][]models.ChatID{"bob": {left, stayed}}
	since := w.now()
	w.advance(time.Second)
	w.send("alice", stayed, "one")
	w.send("alice", entered, "two")
	w.send("alice", left, "not for bob")
	w.emitted = nil
	if err := w.svc.CatchUp(context.Background(), since); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range w.emitted {
		switch ev := e.event.(type) {
		case models.NewMessage:
			got = append(got, fmt.Sprint(ev.Message.Text, e.to.Chats))
		case models.ChatJoined:
			got = append(got, fmt.Sprint("joined ", ev.Chat.ID, e.to.Sockets))
		case models.ChatLeft:
			got = append(got, fmt.Sprint("left ", ev.ChatID, e.to.Sockets))
		}
	}
	want := []string{
		fmt.Sprintf("joined %s[of bob]", entered), fmt.Sprintf("left %s[of bob]", left),
		fmt.Sprintf("one[%s]", stayed), fmt.Sprintf("two[%s]", entered),
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

func TestCatchUpWithoutTheDatabaseTellsNothing(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("alice", "bob")
	w.seats = map[models.UserID][]models.ChatID{"bob": {chat}}
	since := w.now()
	w.send("alice", chat, "one")
	w.emitted = nil
	w.failing("chatsOf", errAway)
	if err := w.svc.CatchUp(context.Background(), since); err == nil {
		t.Error("caught up without knowing who sits where")
	}
	if len(w.emitted) != 0 {
		t.Errorf("told %v to who may not hear it any more", w.emitted)
	}
}

// What a socket at the door knows of its chats is from before.
func TestWhoEntersTooLateLooksAgain(t *testing.T) {
	w := newWorld(t)
	w.chat("alice", "bob")
	d := &door{id: "s", stale: func() { w.chat("bob") }}
	if _, err := w.lets("bob", d); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(d.steps); got != "[identify enter 1 enter 2]" {
		t.Errorf("steps %s", got)
	}
}

// What is said before this pod hears of the rooms comes from the database.
func TestWhoEntersHearsBeforeTheBacklogIsRead(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("alice", "bob")
	w.connect("bob", "first")
	w.disconnect("bob", "first")
	w.advance(time.Minute)
	d := &door{id: "s", onHears: func() error { w.send("alice", chat, "in between"); return nil }}
	backlog, err := w.lets("bob", d)
	if err != nil || fmt.Sprint(texts(backlog)) != "[in between]" {
		t.Errorf("backlog %v, %v", backlog, err)
	}
	w.disconnect("bob", "s")

	w.advance(time.Minute)
	deaf := &door{id: "t", onHears: func() error { return models.Unavailable("the other pods", errAway) }}
	if _, err := w.lets("bob", deaf); err == nil {
		t.Error("let in where it hears nothing")
	}
	if n, _ := (presence{w}).Count(context.Background(), "bob"); n != 0 {
		t.Errorf("%d sockets of one that was refused", n)
	}
}
