package rooms

import (
	"context"
	"errors"
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

// What may be stored yet, because nobody answered, is what the next try stores.
func TestWhatMayBeStoredYetIsNotStoredTwice(t *testing.T) {
	w := newWorld(t)
	draft := models.Draft{ChatID: w.chat("ann", "bob"), SenderID: "ann", Text: "hi", IdempotencyKey: "k"}
	for _, why := range []error{models.ErrUnanswered, errAway} {
		w.failing("insert", why)
		if _, err := w.svc.Send(context.Background(), draft); err == nil {
			t.Fatal("no error")
		}
		w.failing("insert", nil)
		first, kept := w.requests[requestKey("ann", draft.IdempotencyKey)]
		if kept != errors.Is(why, models.ErrUnanswered) {
			t.Errorf("after %v the key is kept: %v", why, kept)
		}
		again, err := w.svc.Send(context.Background(), draft)
		if err != nil || len(again) != 1 || kept && again[0].ID != first.Messages[0].ID {
			t.Errorf("the next try stored %v, %v; the first may have stored %v", again, err, first.Messages)
		}
		draft.IdempotencyKey += "k"
	}
	if len(w.messages) != 2 {
		t.Errorf("stored %d", len(w.messages))
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
