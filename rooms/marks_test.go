package rooms

import (
	"context"
	"testing"
	"time"

	"parley/models"
)

// hears is one round of it, and what was heard then, counted from the beginning.
func (w *world) hears(began time.Time) (time.Duration, error) {
	w.t.Helper()
	err := w.svc.hear(context.Background())
	w.svc.lookForUnpublished(context.Background())
	return w.svc.Marks.Heard().Sub(began), err
}

func (w *world) marked(pod string, m models.Mark) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.marks[pod] = m
}

func TestAMarkWaitsForWhatIsInFlight(t *testing.T) {
	w := newWorld(t)
	m, began := w.svc.Marks, w.svc.now()
	stamp, landed := m.stamp()
	w.advance(time.Second)
	later, landedToo := m.stamp()
	if !stamp.Equal(began) || !m.mark().Equal(stamp) {
		t.Errorf("stamped %v, marked %v", stamp, m.mark())
	}
	landed()
	if !m.mark().Equal(later) {
		t.Errorf("marked %v, %v is in flight", m.mark(), later)
	}
	landedToo()
	w.advance(time.Second)
	mark := m.mark()
	if !mark.Equal(began.Add(2 * time.Second)) {
		t.Errorf("marked %v", mark)
	}
	w.advance(-time.Minute) // whatever becomes of the clock
	if stamp, landed = m.stamp(); stamp.Before(mark) {
		t.Errorf("stamped %v behind %v", stamp, mark)
	}
	landed()
}

// What a sender waits for is in flight: stored by us, and not yet with the others.
func TestASendIsInFlightUntilItIsHandedOver(t *testing.T) {
	w := newWorld(t)
	chat, began := w.chat("ann", "bob"), w.svc.now()
	var during time.Time
	w.onHanded = func() {
		w.clock = w.clock.Add(time.Second)
		w.mu.Unlock()
		during = w.svc.Marks.mark()
		w.mu.Lock()
	}
	w.send("ann", chat, "hello")
	if !during.Equal(began) || !w.svc.Marks.mark().After(began) {
		t.Errorf("marked %v in flight and %v afterwards", during, w.svc.Marks.mark())
	}
}

func TestHeardStandsStillWhereItCannotBeKnown(t *testing.T) {
	for _, op := range []string{"handed", "trade", "caughtUp", "pods"} {
		w := newWorld(t)
		began := w.svc.now()
		if h, err := w.hears(began); h != 0 || err != nil {
			t.Errorf("%s: heard %v, %v", op, h, err)
		}
		w.advance(2 * time.Second)
		w.failing(op, errAway)
		if h, err := w.hears(began); h != 0 || err == nil {
			t.Errorf("%s: heard %v, %v", op, h, err)
		}
		w.failing(op, nil)
		if h, err := w.hears(began); h != 2*time.Second || err != nil {
			t.Errorf("%s: heard %v, %v", op, h, err)
		}
	}
}

func TestNobodyIsHeardFurtherThanTheSlowest(t *testing.T) {
	w := newWorld(t)
	began := w.svc.now()
	w.marked("a", models.Mark{Sent: began.Add(-time.Second)})
	w.marked("b", models.Mark{Sent: began.Add(-time.Hour)}) // dead since long
	if h, _ := w.hears(began); h != -time.Second {
		t.Errorf("heard %v", h)
	}
	if _, there := w.marks["b"]; there {
		t.Error("nobody has taken the dead one's mark")
	}
	w.advance(time.Second)
	w.marked("a", models.Mark{Sent: began.Add(time.Minute)}) // its clock is ahead
	if h, _ := w.hears(began); h != time.Second {
		t.Errorf("heard %v", h)
	}
	w.marked("a", models.Mark{Sent: began, Over: true})
	w.advance(time.Second)
	if h, _ := w.hears(began); h != 2*time.Second {
		t.Errorf("heard %v of one that has ended", h)
	}
	start := w.now().Add(-2 * time.Second)
	for _, c := range []struct{ after, heard time.Duration }{
		{0, -time.Second}, {time.Second - 1, -time.Second}, {time.Second, time.Second}, {time.Hour, 2 * time.Second},
	} {
		if at := w.svc.Marks.HeardAt(start.Add(c.after)); !at.Equal(began.Add(c.heard)) {
			t.Errorf("heard %v after %v", at.Sub(began), c.after)
		}
	}
	if at := w.svc.Marks.HeardAt(start.Add(-1)); !at.IsZero() {
		t.Errorf("heard %v before it began", at)
	}
}

// A pod that died between storing and publishing: what it stored is told.
func TestWhatASilentPodHasStoredIsTold(t *testing.T) {
	w := newWorld(t)
	began := w.svc.now()
	chat := w.chat("ann", "bob")
	w.seats = map[models.UserID][]models.ChatID{"bob": {chat}}
	w.marked("a", models.Mark{Sent: began})
	stored := models.Message{ID: w.NewMessageID(), ChatID: chat, SenderID: "ann", Text: "stored", CreatedAt: began.Add(time.Millisecond)}
	told := func() int { w.mu.Lock(); defer w.mu.Unlock(); return len(w.emitted) }
	w.pods = 2 // it listens, or seems to
	for range 5 {
		w.advance(time.Second)
		if h, err := w.hears(began); h != 0 || err != nil || told() != 0 {
			t.Fatalf("heard %v, %v, told %d", h, err, told())
		}
		if err := w.svc.Messages.InsertMissing(context.Background(), []models.Message{stored}); err != nil {
			t.Fatal(err)
		}
	}
	w.advance(time.Second)
	w.pods = 1
	if h, _ := w.hears(began); h != 0 || told() != 1 || !w.svc.Marks.Suspect("a") {
		t.Fatalf("heard %v, told %d", h, told())
	}
	for range 20 {
		w.advance(time.Second)
		if _, err := w.hears(began); err != nil {
			t.Fatal(err)
		}
	}
	if h, _ := w.hears(began); h < 26*time.Second-lookEvery-storedWithin-time.Second || h > 26*time.Second-storedWithin {
		t.Errorf("heard %v", h)
	}
	w.advance(3 * time.Minute)
	w.marked("b", models.Mark{Sent: w.now(), Heard: began})
	w.pods = 2
	if _, err := w.hears(began); err != nil {
		t.Fatal(err)
	}
	if !w.svc.Marks.Suspect("a") { // nobody could be heard of for so long
		t.Error("a pod is forgotten for our silence")
	}
	if mark, ok := w.svc.Marks.MarkOf("b"); !ok || !mark.Heard.Equal(began) {
		t.Errorf("the other has heard %v, %v", mark.Heard, ok)
	}
	for range 130 {
		w.advance(time.Second)
		w.marked("b", models.Mark{Sent: w.now()})
		if _, err := w.hears(began); err != nil {
			t.Fatal(err)
		}
	}
	if _, there := w.marks["a"]; there || w.svc.Marks.Suspect("a") {
		t.Error("a dead pod is there for ever")
	}
}

// One that was killed does not listen, either, and is known for dead before long.
func TestAKilledPodIsKnownSoon(t *testing.T) {
	w := newWorld(t)
	began := w.svc.now()
	w.pods = 2
	w.marked("a", models.Mark{Sent: began, Heard: began.Add(-time.Second)})
	_, _ = w.hears(began)
	w.pods = 1
	for range 4 {
		if _, silent := w.svc.Marks.HeardBySilent(time.Time{}); silent {
			t.Fatal("known for dead too soon")
		}
		w.advance(goneAfter / 4)
		_, _ = w.hears(began)
	}
	if heard, silent := w.svc.Marks.HeardBySilent(time.Time{}); !silent || !heard.Equal(began.Add(-time.Second)) {
		t.Errorf("it had heard %v, %v", heard, silent)
	}
}

// Redis may forget the marks; who has read them has not.
func TestMarksOutliveRedis(t *testing.T) {
	w := newWorld(t)
	began := w.svc.now()
	w.marked("a", models.Mark{Sent: began})
	if _, err := w.hears(began); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	clear(w.marks)
	w.mu.Unlock()
	w.advance(time.Second)
	if h, err := w.hears(began); h != 0 || err != nil {
		t.Errorf("heard %v, %v", h, err)
	}
}

func TestPodsThatKeepNoMarksAreSlow(t *testing.T) {
	w := newWorld(t)
	began := w.svc.now()
	step := func(pods int, after, heard time.Duration, known bool) {
		t.Helper()
		w.advance(after)
		w.pods = pods
		if h, err := w.hears(began); h != heard || known != (err == nil) {
			t.Errorf("heard %v, %v", h, err)
		}
	}
	step(1, 0, 0, true)
	step(2, time.Second, 0, false) // it has just come
	w.marked("a", models.Mark{Sent: began.Add(time.Hour)})
	step(2, time.Second/2, 1500*time.Millisecond, true)
	step(3, time.Second, 1500*time.Millisecond, false)
	step(3, time.Second/2, 1500*time.Millisecond, false)
	step(3, time.Second/2, 3500*time.Millisecond-models.Slack, true)
	step(3, time.Second/2, 4*time.Second-models.Slack, true)
	for range models.Slack / time.Second {
		w.advance(time.Second)
		w.marked("a", models.Mark{Sent: w.now().Add(time.Hour)})
		w.pods = 2
		_, _ = w.hears(began)
	}
	step(2, 0, 4*time.Second+models.Slack, true)
}

func TestFarewell(t *testing.T) {
	w := newWorld(t)
	if err := w.svc.Farewell(context.Background()); err != nil || !w.marks["here"].Over {
		t.Errorf("%v, %v", w.marks["here"], err)
	}
	_, _ = w.hears(w.now()) // a last round does not take it back
	if !w.marks["here"].Over {
		t.Error("it is back")
	}
	w.failing("handed", errAway)
	if err := w.svc.Farewell(context.Background()); models.CodeOf(err) != models.CodeUnavailable {
		t.Errorf("took leave of nobody: %v", err)
	}
}
