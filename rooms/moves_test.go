package rooms

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"parley/models"
)

func (w *world) SaveMove(_ context.Context, m models.Move) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.failure("saveMove"); err != nil {
		return err
	}
	w.moves = append(w.moves, m)
	return nil
}

func (w *world) Moves(_ context.Context, since time.Time, users ...models.UserID) (out []models.Move, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.moves {
		if slices.Contains(users, m.UserID) && !m.At.Before(since) {
			out = append(out, m)
		}
	}
	return out, w.failure("moves")
}

// add and remove are by ann, who is there already.
func (w *world) add(chat models.ChatID, user models.UserID) error {
	_, err := w.svc.AddParticipant(context.Background(), "ann", chat, user)
	w.advance(time.Second)
	return err
}

func (w *world) remove(chat models.ChatID, user models.UserID) error {
	_, err := w.svc.RemoveParticipant(context.Background(), "ann", chat, user)
	w.advance(time.Second)
	return err
}

func (w *world) says(chat models.ChatID, text string) {
	w.t.Helper()
	w.advance(time.Second)
	w.send("ann", chat, text)
	w.advance(time.Second)
}

func TestWhatWasSaidWhileTheyWereOutIsNotSentAgain(t *testing.T) {
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dies := func(t *testing.T, w *world, move func() error) { // between its two writes
		t.Helper()
		w.failing("before the change", errAway)
		if move() == nil {
			t.Fatal("it did not fail")
		}
		w.failing("before the change", nil)
	}
	for name, c := range map[string]struct {
		happens func(*testing.T, *world, models.ChatID)
		want    []string
	}{
		"removed and added": {func(t *testing.T, w *world, chat models.ChatID) {
			w.says(chat, "in")
			must(t, w.remove(chat, "bob"))
			w.says(chat, "out")
			must(t, w.add(chat, "bob"))
			w.says(chat, "again")
		}, []string{"in", "again"}},
		"each twice": {func(t *testing.T, w *world, chat models.ChatID) {
			w.says(chat, "in")
			must(t, w.remove(chat, "bob"))
			w.says(chat, "out")
			must(t, w.remove(chat, "bob"))
			w.says(chat, "still out")
			must(t, w.add(chat, "bob"))
			w.says(chat, "again")
			must(t, w.add(chat, "bob"))
			w.says(chat, "still in")
		}, []string{"in", "again", "still in"}},
		"a pod dies while adding": {func(t *testing.T, w *world, chat models.ChatID) {
			must(t, w.remove(chat, "bob"))
			w.says(chat, "out")
			dies(t, w, func() error { return w.add(chat, "bob") })
			w.says(chat, "still out")
			must(t, w.add(chat, "bob"))
			w.says(chat, "again")
		}, []string{"again"}},
		"a pod dies while removing, and they stay": {func(t *testing.T, w *world, chat models.ChatID) {
			w.says(chat, "in")
			dies(t, w, func() error { return w.remove(chat, "bob") })
			w.says(chat, "still in")
		}, []string{"in", "still in"}},
		"a pod dies while removing": {func(t *testing.T, w *world, chat models.ChatID) {
			w.says(chat, "in")
			dies(t, w, func() error { return w.remove(chat, "bob") })
			w.says(chat, "still in")
			must(t, w.remove(chat, "bob"))
			w.says(chat, "out")
			must(t, w.add(chat, "bob"))
		}, []string{"in", "still in"}},
		"added by another program": {func(t *testing.T, w *world, chat models.ChatID) {
			must(t, w.remove(chat, "bob"))
			if _, _, err := w.AddParticipant(t.Context(), chat, "bob", w.now()); err != nil {
				t.Fatal(err)
			}
			w.says(chat, "in")
		}, []string{"in"}},
		"more than is sent again was said while out": {func(t *testing.T, w *world, chat models.ChatID) {
			w.says(chat, "in")
			must(t, w.remove(chat, "bob"))
			for i := range 40 {
				w.says(chat, fmt.Sprint("out ", i))
			}
			must(t, w.add(chat, "bob"))
		}, []string{"in"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			chat := w.chat("ann", "bob")
			w.connect("bob", "b1")
			w.advance(time.Minute)
			w.disconnect("bob", "b1")
			w.advance(time.Minute)
			c.happens(t, w, chat)
			if got := w.connect("bob", "b2"); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestWhatIsToldAgainIsNotForThoseWhoWereOut(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.seats = map[models.UserID][]models.ChatID{"ann": {chat}, "bob": {chat}}
	deaf := w.now()
	w.advance(time.Minute)
	if err := w.remove(chat, "bob"); err != nil {
		t.Fatal(err)
	}
	w.says(chat, "out")
	if err := w.add(chat, "bob"); err != nil {
		t.Fatal(err)
	}
	w.says(chat, "in")
	w.emitted = nil
	if err := w.svc.CatchUp(t.Context(), deaf); err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]models.UserID{{"bob"}, nil} {
		if got := w.emitted[i].to.ExceptUsers; !slices.Equal(got, want) {
			t.Errorf("%d: not told are %v, want %v", i, got, want)
		}
	}
	w.failing("moves", errAway)
	if w.svc.CatchUp(t.Context(), deaf) == nil {
		t.Error("it is told though nobody knows who was in")
	}
}

func TestAMoveThatCannotBeNotedIsNotMade(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.failing("saveMove", errAway)
	if err := w.remove(chat, "bob"); models.CodeOf(err) != models.CodeUnavailable {
		t.Error(err)
	}
	if err := w.add(chat, "cem"); models.CodeOf(err) != models.CodeUnavailable {
		t.Error(err)
	}
	if c := w.chats[chat]; !slices.Equal(c.Participants, []models.UserID{"ann", "bob"}) || len(w.joined)+len(w.leftRoom) > 0 {
		t.Errorf("%+v", c)
	}
}

// While this pod cannot know of removals, who is told here is who takes part by
// now; nobody is asked for that otherwise.
func TestWhoIsToldWhereRemovalsMayHaveGoneUnheard(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.send("ann", chat, "for certain")
	w.unsure = true
	w.change(chat, w.now(), func([]models.UserID) []models.UserID { return []models.UserID{"ann", "cem"} })
	w.send("ann", chat, "as far as is known")
	for i, want := range [][]models.UserID{nil, {"ann", "cem"}} {
		if got := w.emitted[i].to.Only; !slices.Equal(got, want) {
			t.Errorf("%d: only %v, want %v", i, got, want)
		}
	}
}
