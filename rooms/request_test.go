package rooms

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/models"
)

// A text with a key asks for it once, by claiming it; only a retry looks it up.
func TestAKeyIsLookedUpByRetriesAlone(t *testing.T) {
	w := newWorld(t)
	draft := models.Draft{ChatID: w.chat("ann", "bob"), SenderID: "ann", Text: "hi", IdempotencyKey: "k"}
	first, err := w.svc.Send(context.Background(), draft)
	if err != nil || w.lookedUp != 0 {
		t.Fatalf("looked up %d times, %v", w.lookedUp, err)
	}
	again, err := w.svc.Send(context.Background(), draft)
	if err != nil || len(again) != 1 || again[0] != first[0] || w.lookedUp == 0 {
		t.Errorf("%v, looked up %d times, %v", again, w.lookedUp, err)
	}
}

// A retry that waits for a first try which is then refused does the work itself;
// other messages of its sender go their way meanwhile.
func TestARetryTakesOverFromARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		chat := w.chat("ann", "bob")
		key := requestKey("ann", "k")
		w.requests[key] = models.Request{Key: key, ClaimedAt: w.svc.now()}
		var retry sync.WaitGroup
		retry.Go(func() {
			messages, err := w.svc.Send(t.Context(), models.Draft{ChatID: chat, SenderID: "ann", Text: "hi", IdempotencyKey: "k"})
			if err != nil || len(messages) != 1 {
				t.Errorf("%v, %v", messages, err)
			}
		})
		synctest.Wait() // it has found the key taken
		w.send("ann", chat, "another")
		if err := w.Forget(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		retry.Wait()
		if len(w.messages) != 2 || len(w.emitted) != 2 {
			t.Errorf("stored %d, emitted %d", len(w.messages), len(w.emitted))
		}
	})
}

// What was refused, and is not stored, is all the next try's.
func TestAKeyIsGivenBackAfterARefusal(t *testing.T) {
	w := newWorld(t)
	w.failing("insert", errAway)
	draft := models.Draft{ChatID: w.chat("ann", "bob"), SenderID: "ann", Text: "hi", IdempotencyKey: "k"}
	if _, err := w.svc.Send(context.Background(), draft); err == nil || len(w.requests) != 0 || len(w.svc.unanswered) != 0 {
		t.Errorf("%v, claimed: %v, to be asked for: %d", err, w.requests, len(w.svc.unanswered))
	}
}

// What may be stored yet, because nobody answered, is what is stored in the end, with
// its files, whether or not there is another try; and it is told, once, with a stamp
// that nobody can have heard more than.
func TestWhatMayBeStoredYetIsStoredAndToldOnce(t *testing.T) {
	for _, stored := range []bool{false, true} {
		t.Run(fmt.Sprint("stored ", stored), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { mayBeStored(t, stored) })
		})
	}
}

func mayBeStored(t *testing.T, stored bool) {
	t.Helper()
	w := newWorld(t)
	defer w.stopNoting()
	chat := w.chat("ann", "bob")
	draft := func() models.Draft {
		return models.Draft{
			ChatID: chat, SenderID: "ann", Text: "hi", IdempotencyKey: "k",
			Files: []models.Upload{{Name: "a.png", Type: models.Image, Discard: func() {}}},
		}
	}
	w.failing("insert", models.ErrUnanswered)
	if _, err := w.svc.Send(t.Context(), draft()); !errors.Is(err, models.ErrUnanswered) {
		t.Fatal(err)
	}
	first := w.requests[requestKey("ann", "k")].Messages
	w.advance(time.Second)
	if mark := w.svc.Marks.mark(); len(first) != 2 || !mark.Equal(first[0].CreatedAt) {
		t.Fatalf("the mark is %v, before %+v is told", mark, first)
	}
	if stored {
		w.messages = slices.Clone(first)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	asking.Go(func() { w.svc.askAll(ctx) })
	time.Sleep(time.Second)
	synctest.Wait()
	w.failing("insert", nil)
	time.Sleep(w.svc.Limits.ClaimLease)
	w.advance(w.svc.Limits.ClaimLease + time.Second)
	time.Sleep(time.Second)
	cancel()
	asking.Wait()
	if len(w.messages) != 2 || len(w.emitted) != 2 || w.messages[0].ID != first[0].ID {
		t.Fatalf("stored %+v, emitted %d", w.messages, len(w.emitted))
	}
	if at := w.messages[0].CreatedAt; at.Equal(first[0].CreatedAt) != stored {
		t.Errorf("stored at %v; the first try's stamp was %v", at, first[0].CreatedAt)
	}
	if mark := w.svc.Marks.mark(); !mark.Equal(w.svc.now()) {
		t.Errorf("the mark still stands at %v", mark)
	}
	again, err := w.svc.Send(t.Context(), draft())
	if err != nil || !reflect.DeepEqual(again, w.messages) || len(w.kept) != 1 || len(w.removed) != 0 || len(w.emitted) != 2 {
		t.Errorf("the next try: %+v, %v; kept %v, removed %v, emitted %d", again, err, w.kept, w.removed, len(w.emitted))
	}
}

// A pod that goes without knowing whether something is stored leaves that to others.
func TestNoFarewellWhileSomethingMayBeStored(t *testing.T) {
	w := newWorld(t)
	w.failing("insert", models.ErrUnanswered)
	if _, err := w.svc.Send(t.Context(), models.Draft{ChatID: w.chat("ann", "bob"), SenderID: "ann", Text: "hi", IdempotencyKey: "k"}); err == nil {
		t.Fatal("no error")
	}
	if err := w.svc.Farewell(t.Context()); !errors.Is(err, models.ErrUnanswered) {
		t.Error(err)
	}
}

// That a request is done is noted after its answer, and before the pod ends.
func TestWhatIsDoneIsNotedBeforeTheEnd(t *testing.T) {
	w := newWorld(t)
	w.stopNoting()
	w.svc.done = make(chan string, 2)
	chat := w.chat("ann", "bob")
	for _, key := range []string{"1", "2", "3"} {
		if _, err := w.svc.Send(context.Background(), models.Draft{ChatID: chat, SenderID: "ann", Text: key, IdempotencyKey: key}); err != nil {
			t.Fatal(err)
		}
	}
	undone := func() (n int) {
		for _, r := range w.requests {
			if !r.Done {
				n++
			}
		}
		return n
	}
	if n := undone(); n != 2 {
		t.Fatalf("%d are noted later, want the two there is room for", n)
	}
	ended, end := context.WithCancel(context.Background())
	end()
	w.svc.noteAllDone(ended)
	if n := undone(); n != 0 {
		t.Errorf("%d are not noted at the end", n)
	}
}

// Who gives up in line has sent nothing and holds nobody up.
func TestGivingUpInLine(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	leave, err := w.svc.order.enter(context.Background(), chat, "ann")
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]models.Code{"": models.CodeUnavailable, "k": models.CodeInProgress} {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		_, err := w.svc.Send(ctx, models.Draft{ChatID: chat, SenderID: "ann", Text: "hi", IdempotencyKey: key})
		if models.CodeOf(err) != want {
			t.Errorf("%q: %v", key, err)
		}
		cancel()
	}
	leave()
	w.send("ann", chat, "next")
	if len(w.messages) != 1 || len(w.requests) != 0 || len(w.svc.order.lines) != 0 {
		t.Errorf("%d messages, %v, %d lines", len(w.messages), w.requests, len(w.svc.order.lines))
	}
}
