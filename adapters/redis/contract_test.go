package redis

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

// TestContract holds the same demands against every kind of Redis.
func TestContract(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) string{
		"redis":   func(t *testing.T) string { return startServer(t).url() },
		"cluster": func(t *testing.T) string { return "redis+cluster://" + startCluster(t).addr },
		"miniredis": func(t *testing.T) string {
			return "redis://" + miniredis.RunT(t).Addr()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := open(t, start(t))
			a, b := startPod(t, client, "a"), startPod(t, client, "b")
			t.Run("sets", func(t *testing.T) { testSets(t, client, a, b) })
			t.Run("races", func(t *testing.T) { testRaces(t, a, b) })
			t.Run("absences", func(t *testing.T) { testAbsences(t, a, b) })
			t.Run("sessions", func(t *testing.T) { testAwaitedSessions(t, a, b) })
			t.Run("departures", func(t *testing.T) { testAwaitedAbsences(t, a, b) })
			t.Run("odd", func(t *testing.T) { testOdd(t, client, newPod(t, client, "c")) })
			t.Run("beside", func(t *testing.T) { testBeside(t, client, a, b) })
			t.Run("presences", func(t *testing.T) { testPresences(t, client, a, b) })
			t.Run("marks", func(t *testing.T) { testMarks(t, client, a, b) })
			t.Run("untold", func(t *testing.T) { testUntold(t, client) })
			t.Run("close", func(t *testing.T) { testClose(t, client, a, b) })
		})
	}
}

func testSets(t *testing.T, client driver.UniversalClient, a, b *pod) {
	ctx := context.Background()
	const user = models.UserID("665f1c2e9b3a4d5e6f708192")
	for i, c := range []struct {
		p      *pod
		socket models.SocketID
		others int
	}{{a, "s1", 0}, {a, "s1", 0}, {b, "s2", 1}, {a, "s3", 2}, {b, "s2", 2}} {
		arrival, err := c.p.Add(ctx, user, c.socket)
		others := arrival.Others
		if err != nil || others != c.others {
			t.Fatalf("step %d: %d, %v", i, others, err)
		}
	}
	raw, err := client.SMembers(ctx, "user:665f1c2e9b3a4d5e6f708192:sockets").Result()
	slices.Sort(raw)
	if err != nil || !slices.Equal(raw, []string{"s1", "s2", "s3"}) {
		t.Fatalf("the fixed key holds %v, %v", raw, err)
	}
	if n, err := a.Count(ctx, user); n != 3 || err != nil {
		t.Errorf("count %d, %v", n, err)
	}
	sockets, err := b.Sockets(ctx, user)
	slices.Sort(sockets)
	if err != nil || !slices.Equal(sockets, []models.SocketID{"s1", "s2", "s3"}) {
		t.Errorf("sockets %v, %v", sockets, err)
	}
	many := []models.UserID{user, "nobody"}
	for i := range 3 * batchSize {
		many = append(many, userName(i))
	}
	online, err := a.Online(ctx, many)
	if err != nil || len(online) != len(many) || !online[user] || online["nobody"] || online[userName(500)] {
		t.Errorf("online %v, %v", online[user], err)
	}
	if _, err := a.Add(ctx, "somebody else", "s1"); models.CodeOf(err) != models.CodeInternal {
		t.Errorf("one socket, two users: %v", err)
	}
	for i, c := range []struct {
		p       *pod
		socket  models.SocketID
		removed bool
		left    int
	}{{a, "s1", true, 2}, {a, "s1", false, 2}, {b, "never", false, 2}, {b, "s2", true, 1}, {a, "s3", true, 0}, {a, "s3", false, 0}} {
		removed, left, err := c.p.Remove(ctx, user, c.socket, time.Time{})
		if err != nil || removed != c.removed || left != c.left {
			t.Fatalf("step %d: %v, %d, %v", i, removed, left, err)
		}
	}
	if keys := client.Exists(ctx, "user:665f1c2e9b3a4d5e6f708192:sockets").Val() +
		client.Exists(ctx, "parley:pod:a:sockets").Val() + client.Exists(ctx, "parley:pod:b:sockets").Val(); keys != 0 {
		t.Errorf("%d keys are left", keys)
	}
	if r, l, s := a.told.counts(); r+l+s != 0 {
		t.Errorf("told of %d %d %d", r, l, s)
	}
}

// Of many that come at once exactly one is first; of many that go, one last.
func testRaces(t *testing.T, a, b *pod) {
	ctx := context.Background()
	for round := range 20 {
		user := models.UserID("racer")
		var mu sync.Mutex
		var wg sync.WaitGroup
		firsts, lasts := 0, 0
		for i := range 8 {
			wg.Go(func() {
				p := []*pod{a, b}[i%2]
				arrival, err := p.Add(ctx, user, socketName(i))
				others := arrival.Others
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if others == 0 {
					firsts++
				}
			})
		}
		wg.Wait()
		for i := range 8 {
			for range 2 { // disconnect may fire twice
				wg.Go(func() {
					removed, left, err := []*pod{a, b}[i%2].Remove(ctx, user, socketName(i), time.Time{})
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Error(err)
					}
					if removed && left == 0 {
						lasts++
					}
				})
			}
		}
		wg.Wait()
		if firsts != 1 || lasts != 1 {
			t.Fatalf("round %d: %d firsts, %d lasts", round, firsts, lasts)
		}
	}
}

func testAbsences(t *testing.T, a, b *pod) {
	ctx := context.Background()
	t0 := time.Date(2026, 3, 4, 5, 6, 7, 123_456_000, time.UTC)
	at := func(seconds int) time.Time { return t0.Add(time.Duration(seconds) * time.Second) }
	const u = models.UserID("traveller")
	want := func(step string, since, back time.Time, seen ...models.MessageID) {
		t.Helper()
		got, found, err := b.Away(ctx, u)
		if err != nil || !found || !got.Since.Equal(since) || !got.Back.Equal(back) || !slices.Equal(got.Seen, seen) {
			t.Fatalf("%s: %+v, %v, %v", step, got, found, err)
		}
	}
	wantNone := func(step string) {
		t.Helper()
		if got, found, err := a.Away(ctx, u); found || err != nil {
			t.Fatalf("%s: %+v, %v", step, got, err)
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	wantNone("nothing noted")
	do(a.ForgetAway(ctx, u, "s", 0))
	do(a.MarkAway(ctx, u, "s1", models.Absence{Since: t0, Had: models.Had{Seen: []models.MessageID{messageID(1), messageID(2)}}}))
	want("away", t0, time.Time{}, messageID(1), messageID(2))
	do(b.MarkAway(ctx, u, "s2", models.Absence{Since: t0.Add(-time.Microsecond), Had: models.Had{Seen: []models.MessageID{messageID(0)}}}))
	want("a later departure stays, with what that device had", t0, time.Time{}, messageID(1), messageID(2))
	do(b.MarkAway(ctx, u, "s3", models.Absence{Since: at(1), Had: models.Had{Heard: t0, Seen: []models.MessageID{messageID(3)}}}))
	want("a later time counts", at(1), time.Time{}, messageID(3))
	if absence, _, _ := a.Away(ctx, u); !absence.Heard.Equal(t0) {
		t.Errorf("heard up to %v", absence.Heard)
	}
	if ttl := a.client.PTTL(ctx, absenceKey(u)).Val(); ttl < 29*24*time.Hour || ttl > absenceFor {
		t.Errorf("the note ends in %v", ttl)
	}
	do(a.ForgetAway(ctx, u, "s1", 0))
	want("made on behalf of another", at(1), time.Time{}, messageID(3))
	do(b.MarkBack(ctx, u, models.Absence{Since: at(-9), Back: t0}, time.Hour))
	want("a return from before is late", at(1), time.Time{}, messageID(3))
	do(a.MarkBack(ctx, u, models.Absence{Since: at(1), Had: models.Had{Seen: []models.MessageID{messageID(3)}}, Back: at(2)}, time.Hour))
	want("back", at(1), at(2), messageID(3))
	if ttl := a.client.PTTL(ctx, absenceKey(u)).Val(); ttl <= 0 || ttl > time.Hour {
		t.Errorf("the note of one who is back ends in %v", ttl)
	}
	do(a.ForgetAway(ctx, u, "s3", 0))
	want("one who is back is not forgotten by an old departure", at(1), at(2), messageID(3))
	do(b.MarkAway(ctx, u, "s4", models.Absence{Since: at(9)}))
	want("away again", at(9), time.Time{})
	if ttl := a.client.PTTL(ctx, absenceKey(u)).Val(); ttl < 29*24*time.Hour {
		t.Errorf("the new note ends in %v", ttl)
	}
	do(b.ForgetAway(ctx, u, "s4", 0))
	wantNone("forgotten")
	do(a.MarkAway(ctx, u, "s5", models.Absence{Since: at(10)}))
	do(b.ForgetAway(ctx, u, "s5", time.Minute))
	want("forgotten in a minute", at(10), time.Time{})
	if ttl := a.client.PTTL(ctx, absenceKey(u)).Val(); ttl <= 0 || ttl > time.Minute {
		t.Errorf("forgotten in %v", ttl)
	}
	do(b.MarkAway(ctx, u, "s6", models.Absence{Since: at(9)}))
	want("of who leaves meanwhile the later time stays", at(10), time.Time{})
	if ttl := a.client.PTTL(ctx, absenceKey(u)).Val(); ttl < 29*24*time.Hour {
		t.Errorf("a note that is renewed ends in %v", ttl)
	}
	do(a.ForgetAway(ctx, u, "s6", 0))
	do(a.MarkBack(ctx, u, models.Absence{Since: at(1), Back: at(2)}, time.Hour))
	want("back from an absence the database knew", at(1), at(2))
	do(a.MarkBack(ctx, u, models.Absence{Since: at(1), Back: at(3)}, 0))
	wantNone("kept for no time at all")
}

func testClose(t *testing.T, client driver.UniversalClient, a, b *pod) {
	ctx := context.Background()
	a.mustAdd(t, "closing", "a1", "a2")
	b.mustAdd(t, "closing", "b1")
	for range 2 {
		if err := a.Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if m := members(t, client, "closing"); !slices.Equal(m, []string{"b1"}) {
		t.Fatalf("members %v", m)
	}
	if _, late, _ := a.told.counts(); late != 2 {
		t.Errorf("told of %d late ones", late)
	}
	for _, key := range []string{"parley:pod:a", "parley:pod:a:sockets"} {
		if client.Exists(ctx, key).Val() != 0 {
			t.Errorf("%s is left", key)
		}
	}
	if pods := client.ZRange(ctx, "parley:pods", 0, -1).Val(); !slices.Equal(pods, []string{"b"}) {
		t.Errorf("pods %v", pods)
	}
	if _, err := a.Add(ctx, "closing", "a3"); models.CodeOf(err) != models.CodeShuttingDown {
		t.Errorf("add after close: %v", err)
	}
	if err := b.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if m := members(t, client, "closing"); len(m) != 0 {
		t.Errorf("members %v", m)
	}
}
