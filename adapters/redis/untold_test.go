package redis

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

// herald is who is told by OnUntold, and takes those it tells of.
type herald struct {
	mu      sync.Mutex
	pod     *Presence
	told    []models.Untold
	batches int
	fails   int
	known   []models.UserID
	onTold  func(models.Untold)
}

func (h *herald) untold(ctx context.Context, untold []models.Untold) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fails > 0 {
		h.fails--
		return errors.New("the database is away")
	}
	for _, u := range untold {
		if h.onTold != nil {
			h.onTold(u)
		}
	}
	taken, err := h.pod.TakeUntold(ctx, untold)
	h.told = append(h.told, taken...)
	h.batches++
	return err
}

func (h *herald) of(user models.UserID) (times []time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, u := range h.told {
		if u.UserID == user {
			times = append(times, u.Left)
		}
	}
	return times
}

// forgotten is for users whom the database knows.
func (h *herald) forgotten(ctx context.Context, at time.Time) error {
	h.mu.Lock()
	known := h.known
	h.mu.Unlock()
	return h.pod.NoteMissing(ctx, known, at)
}

const testGrace = time.Second

func gracefulPod(t *testing.T, client driver.UniversalClient, id string) (*pod, *herald) {
	t.Helper()
	h := &herald{}
	p, err := NewPresence(PresenceOptions{
		Client: client, PodID: id, TTL: testTTL, Grace: testGrace, Metrics: &tally{}, Callbacks: Callbacks{OnUntold: h.untold, OnForgotten: h.forgotten},
	})
	if err != nil {
		t.Fatal(err)
	}
	h.pod = p
	running := &pod{Presence: p, told: &told{}}
	running.run(t)
	return running, h
}

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func testUntold(t *testing.T, client driver.UniversalClient) {
	ctx := context.Background()
	a, atA := gracefulPod(t, client, "untold-a")
	b, atB := gracefulPod(t, client, "untold-b")
	all := func(u models.UserID) []time.Time { return append(atA.of(u), atB.of(u)...) }
	arrive := func(p *pod, u models.UserID, s models.SocketID) models.Arrival {
		t.Helper()
		arrival, err := p.Add(ctx, u, s)
		if err != nil {
			t.Fatal(err)
		}
		return arrival
	}
	leave := func(p *pod, u models.UserID, s models.SocketID, left time.Time) {
		t.Helper()
		if _, _, err := p.Remove(ctx, u, s, left); err != nil {
			t.Fatal(err)
		}
	}
	left := now()
	// One who flaps, on two pods; one who stays away; one with a second device; one
	// who was never told of; one who left long ago, as far as anybody knows.
	for _, u := range []models.UserID{"flap", "away", "two", "refused", "long", "od{d}:}"} {
		if at := arrive(a, u, models.SocketID("s1 "+u)).Left; !at.IsZero() {
			t.Fatalf("%s, who has never left, left at %v", u, at)
		}
	}
	if at := arrive(b, "two", "s2").Left; !at.IsZero() {
		t.Fatal("a second device left?")
	}
	leave(a, "flap", "s1 flap", left)
	leave(a, "away", "s1 away", left)
	leave(a, "two", "s1 two", left)
	leave(a, "refused", "s1 refused", time.Time{})
	leave(a, "long", "s1 long", left.Add(-time.Minute))
	leave(a, "od{d}:}", "s1 od{d}:}", left)
	if at := arrive(b, "flap", "s2 flap").Left; !at.Equal(left) {
		t.Fatalf("one who came back was told of, or not gone: %v, not %v", at, left)
	}
	await(t, "the one who left long ago", func() bool { return len(all("long")) == 1 })
	if early := time.Since(left); len(all("away")) > 0 && early < testGrace {
		t.Errorf("told of after %v", early)
	}
	await(t, "the one who stays away", func() bool { return len(all("away")) == 1 })
	if took := time.Since(left); took < testGrace {
		t.Errorf("told of after %v", took)
	}
	await(t, "everybody to be looked at", func() bool { return client.ZCard(ctx, untoldKey).Val() == 0 })
	for u, want := range map[models.UserID][]time.Time{
		"flap": nil, "two": nil, "refused": nil, "away": {left}, "long": {left.Add(-time.Minute)}, "od{d}:}": {left},
	} {
		if got := all(u); !slices.EqualFunc(got, want, time.Time.Equal) {
			t.Errorf("%s was told of as gone at %v, not %v", u, got, want)
		}
	}
	// Somebody who is asked for is told of by whoever asks, once.
	leave(b, "flap", "s2 flap", left)
	for _, want := range [][]models.Untold{{{UserID: "flap", Left: left}}, nil} {
		if got, err := a.TakeLeft(ctx, []models.UserID{"two", "flap", "away", "nobody"}); err != nil || !slices.Equal(got, want) {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
	}
	await(t, "a look at who was asked for", func() bool { return client.ZCard(ctx, untoldKey).Val() == 0 })
	if got := all("flap"); len(got) != 0 {
		t.Errorf("one who was asked for was told of again: %v", got)
	}
	if at := arrive(a, "flap", "s3 flap").Left; !at.IsZero() {
		t.Errorf("one who was asked for came back as if nobody had been told: %v", at)
	}
	// Noted again by whoever cleans up, or for another device that was gone by the
	// time others were told, it is the same absence; a later one is not.
	later := now().Add(time.Millisecond)
	for _, at := range []time.Time{left, left.Add(time.Millisecond), later} {
		if err := b.NoteLeft(ctx, "away", at); err != nil {
			t.Fatal(err)
		}
		await(t, "a look", func() bool { return client.ZCard(ctx, untoldKey).Val() == 0 })
	}
	await(t, "the later one", func() bool { return len(all("away")) > 1 })
	if got := all("away"); len(got) != 2 || !got[1].Equal(later) {
		t.Errorf("noted thrice, told of %v; it left at %v and %v", got, left, later)
	}
	if at := arrive(a, "away", "s3 away").Left; !at.IsZero() {
		t.Errorf("one who was told of and comes back is known to be gone, not %v", at)
	}
	if err := b.NoteLeft(ctx, "away", now()); err != nil {
		t.Fatal(err)
	}
	if n := client.Exists(ctx, a.leftKey("away")).Val(); n != 0 {
		t.Errorf("one who is there is noted gone: %s", client.Get(ctx, a.leftKey("away")).Val())
	}
	for _, p := range []*pod{a, b} {
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	}
}

// The pod that owes it dies, the database is away, the user comes at the last moment.
func TestWhoLeftIsToldOfWhateverHappens(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	client := open(t, startServer(t).url())
	a, atA := gracefulPod(t, client, "a")
	b, atB := gracefulPod(t, client, "b")
	left := now()
	a.mustAdd(t, "u", "s1")
	if _, _, err := a.Remove(ctx, "u", "s1", left); err != nil {
		t.Fatal(err)
	}
	a.stop() // within the grace
	atB.mu.Lock()
	atB.fails = 1
	atB.mu.Unlock()
	await(t, "the other pod to tell", func() bool { return len(atB.of("u")) == 1 })
	if took := time.Since(left); took < untoldClaim {
		t.Errorf("tried again after %v, while it might still have been told", took)
	}
	if got := append(atA.of("u"), atB.of("u")...); len(got) != 1 || !got[0].Equal(left) {
		t.Errorf("told %v", got)
	}
	// Between the look and the telling.
	b.mustAdd(t, "v", "s2")
	atB.mu.Lock()
	atB.onTold = func(u models.Untold) {
		if u.UserID == "v" {
			b.mustAdd(t, "v", "s3")
		}
	}
	atB.mu.Unlock()
	if _, _, err := b.Remove(ctx, "v", "s2", now()); err != nil {
		t.Fatal(err)
	}
	await(t, "v to be looked at", func() bool { return client.ZCard(ctx, untoldKey).Val() == 0 })
	if got := atB.of("v"); len(got) != 0 {
		t.Errorf("told %v of one who is there", got)
	}
	// A pod that stops leaves it to others.
	b.Settle(ctx)
	if _, _, err := b.Remove(ctx, "v", "s3", now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	c, atC := gracefulPod(t, client, "c")
	await(t, "the pod that comes to tell", func() bool { return len(atC.of("v")) == 1 })
	if n := len(atB.of("v")); n != 0 {
		t.Error("told by a pod that nobody hears")
	}
	// Those who leave together are told of together.
	for i := range 50 {
		c.mustAdd(t, userName(i), socketName(i))
	}
	atC.mu.Lock()
	before := atC.batches
	atC.mu.Unlock()
	at := now()
	for i := range 50 {
		if _, _, err := c.Remove(ctx, userName(i), socketName(i), at); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "all", func() bool { return len(atC.of(userName(49))) == 1 && client.ZCard(ctx, untoldKey).Val() == 0 })
	atC.mu.Lock()
	defer atC.mu.Unlock()
	if n := atC.batches - before; n > 3 {
		t.Errorf("50 who left together were told of in %d goes", n)
	}
}
