package redis

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/models"
)

// A pod dies; two others are alive. Each of its sockets is told of once.
func TestReapsDeadPod(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"redis", "cluster"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			var url string
			if kind == "redis" {
				url = startServer(t).url()
			} else {
				url = "redis+cluster://" + startCluster(t).addr
			}
			client := open(t, url)
			// Longer than elsewhere: it is the time that is tested here, and a third
			// of it is left for a slow machine.
			const ttl = 8 * testTTL
			dead, b, c := newPod(t, client, "dead"), newPod(t, client, "b"), newPod(t, client, "c")
			for _, p := range []*pod{dead, b, c} {
				p.ttl = ttl
				p.run(t)
				await(t, "the pod to be listed", func() bool { return client.ZScore(context.Background(), "parley:pods", p.Presence.pod).Err() == nil })
			}
			const n = 700 // several batches
			for i := range n {
				dead.mustAdd(t, userName(i), socketName(i))
			}
			b.mustAdd(t, userName(0), "other")
			// Noted, but never in a set: its pod died between the two.
			if err := client.HSet(context.Background(), "parley:pod:dead:sockets", "noted", "nobody").Err(); err != nil {
				t.Fatal(err)
			}
			lastRefresh := time.Now()
			dead.stop()
			killed := time.Now()
			await(t, "all to be told", func() bool {
				rb, _, _ := b.told.counts()
				rc, _, _ := c.told.counts()
				return rb+rc >= n
			})
			if took := time.Since(killed); took > ttl {
				t.Errorf("took %v of %v", took, ttl)
			}
			await(t, "the pod to be off the list", func() bool {
				return !slices.Contains(client.ZRange(context.Background(), "parley:pods", 0, -1).Val(), "dead")
			})
			seen := map[models.SocketID]int{}
			for _, d := range append(b.told.reaped, c.told.reaped...) {
				seen[d.SocketID]++
				left := 0
				if d.UserID == userName(0) {
					left = 1
				}
				if d.left != left || d.Reason != ReasonPodLost || d.At.After(killed) || d.At.Before(lastRefresh.Add(-ttl)) {
					t.Fatalf("told %+v", d)
				}
			}
			if len(seen) != n {
				t.Errorf("told of %d sockets, not %d", len(seen), n)
			}
			for i := range n {
				if seen[socketName(i)] != 1 {
					t.Errorf("%s was told of %d times", socketName(i), seen[socketName(i)])
				}
			}
			if m := members(t, client, userName(0)); !slices.Equal(m, []string{"other"}) {
				t.Errorf("members %v", m)
			}
			if client.Exists(context.Background(), "parley:pod:dead:sockets", "parley:pod:dead:sockets").Val() != 0 {
				t.Error("the hash is left")
			}
		})
	}
}

// The reaper dies half way; the next one does the rest, and nothing twice.
func TestReaperDies(t *testing.T) {
	t.Parallel()
	client := open(t, startServer(t).url())
	dead := startPod(t, client, "dead")
	const n = 900
	for i := range n {
		dead.mustAdd(t, userName(i), socketName(i))
	}
	dead.stop()
	await(t, "the lease to end", func() bool { return client.Exists(context.Background(), "parley:pod:dead").Val() == 0 })
	// The first reaper is stopped by the first departure it tells of.
	first := newPod(t, client, "first")
	first.ttl = 4 * testTTL // its calls may take 2 s then, and its claim a second
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	tell := first.told.callbacks()
	first.SetCallbacks(Callbacks{OnReaped: func(c context.Context, d models.Departure, left int) { tell.OnReaped(c, d, left); cancel() }})
	if _, err := first.reap(ctx, deadPod{id: "dead", seen: time.Now()}, map[models.SocketID]bool{}); err == nil {
		t.Fatal("a reaper that was stopped went through")
	}
	if r, _, _ := first.told.counts(); r == 0 || r > 2*workers {
		t.Fatalf("the first told of %d", r)
	}
	second := startPod(t, client, "second")
	await(t, "the second to finish", func() bool {
		return client.Exists(context.Background(), "parley:pod:dead:sockets").Val() == 0
	})
	await(t, "the pod to be off the list", func() bool {
		return !slices.Contains(client.ZRange(context.Background(), "parley:pods", 0, -1).Val(), "dead")
	})
	seen := map[models.SocketID]int{}
	for _, d := range slices.Concat(first.told.reaped, second.told.reaped) {
		seen[d.SocketID]++
	}
	for i := range n {
		if seen[socketName(i)] != 1 {
			t.Errorf("%s was told of %d times", socketName(i), seen[socketName(i)])
		}
	}
}

// What a reaper took out and did not tell of, another tells of if the first is
// dead, and leaves to it if it is alive.
func TestTakenButNotTold(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"redis", "cluster"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := "redis://"
			if kind == "cluster" {
				url = "redis+cluster://" + startCluster(t).addr
			} else {
				url += startServer(t).addr
			}
			client := open(t, url)
			ctx := context.Background()
			a, b := newPod(t, client, "a"), newPod(t, client, "b")
			a.ttl, b.ttl = time.Minute, time.Minute // each call may take 2 s then
			users := []models.UserID{"plain", "a{b}c", "a}b", "{}", "x{y"}
			sockets := func() (pairs []string) {
				for i, user := range users {
					b.mustAdd(t, user, socketName(i))
					pairs = append(pairs, string(socketName(i)), string(user))
				}
				return pairs
			}
			withNote := 0
			pairs := sockets()
			for i, user := range users {
				if _, _, err := a.take(ctx, &entry{user: user, socket: socketName(i)}, false); err != nil {
					t.Fatal(err)
				}
				if takenKey(user, socketName(i)) != "" {
					withNote++
				}
			}
			if withNote != 3 {
				t.Errorf("%d of the users can have a note", withNote)
			}
			if v, _, err := a.take(ctx, &entry{user: "plain", socket: socketName(0)}, false); v != nothing || err != nil {
				t.Errorf("a reaper that was sure would tell again: %v, %v", v, err)
			}
			if err := client.Set(ctx, "parley:pod:a", 1, 0).Err(); err != nil {
				t.Fatal(err)
			}
			reap := func(p *pod, unsure map[models.SocketID]bool, want int) {
				t.Helper()
				if n, err := p.reapBatch(ctx, deadPod{id: "b"}, pairs, unsure); n != want || err != nil {
					t.Fatalf("told of %d, not %d; %v", n, want, err)
				}
			}
			reap(b, map[models.SocketID]bool{}, 0) // a is alive and will tell
			if n := client.HLen(ctx, "parley:pod:b:sockets").Val(); int(n) != withNote {
				t.Fatalf("%d are left to a, not %d", n, withNote)
			}
			if err := client.Del(ctx, "parley:pod:a").Err(); err != nil {
				t.Fatal(err)
			}
			reap(b, map[models.SocketID]bool{}, withNote) // a is dead
			reap(b, map[models.SocketID]bool{}, 0)
			if n := client.HLen(ctx, "parley:pod:b:sockets").Val(); n != 0 {
				t.Fatalf("%d are left", n)
			}
			pairs = sockets()
			for i, user := range users {
				if _, _, err := a.take(ctx, &entry{user: user, socket: socketName(i)}, false); err != nil {
					t.Fatal(err)
				}
			}
			unsure := map[models.SocketID]bool{}
			for i := range users {
				unsure[socketName(i)] = true
			}
			reap(a, unsure, withNote) // its own answers got lost
			reap(a, map[models.SocketID]bool{}, 0)
		})
	}
}

// A pod cut off from Redis is reaped; when it is back, so are its live sockets.
// What it removed meanwhile was told by the reaper and is not told again.
func TestPausedPodComesBack(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	direct := open(t, s.url())
	line := startProxy(t, s.addr)
	a, b := startPod(t, open(t, "redis://"+line.addr), "a"), startPod(t, direct, "b")
	a.mustAdd(t, "u", "a1", "a2")
	a.mustAdd(t, "v", "a3")
	line.block()
	await(t, "b to reap a", func() bool { n, _, _ := b.told.counts(); return n == 3 })
	if _, _, err := a.Remove(context.Background(), "v", "a3", time.Time{}); models.CodeOf(err) != models.CodeUnavailable {
		t.Fatalf("remove while cut off: %v", err)
	}
	if m := members(t, direct, "u"); len(m) != 0 {
		t.Fatalf("members %v", m)
	}
	line.blocked.Store(false)
	await(t, "the sockets to be back", func() bool { return slices.Equal(members(t, direct, "u"), []string{"a1", "a2"}) })
	await(t, "the removal to be done", func() bool { return a.sockets.leaving.Load() == 0 })
	await(t, "the restored to be told", func() bool { _, _, n := a.told.counts(); return n == 2 })
	if _, late, _ := a.told.counts(); late != 0 {
		t.Errorf("told twice of what the reaper told: %d", late)
	}
	if m := members(t, direct, "v"); len(m) != 0 {
		t.Errorf("members %v", m)
	}
	if !slices.Contains(direct.ZRange(context.Background(), "parley:pods", 0, -1).Val(), "a") {
		await(t, "a to be listed", func() bool {
			return slices.Contains(direct.ZRange(context.Background(), "parley:pods", 0, -1).Val(), "a")
		})
	}
}

// After Redis stood still for longer than a lease, no pod takes another for dead.
func TestNobodyReapsAfterRedisStoodStill(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	client := open(t, s.url())
	a, b := startPod(t, client, "a"), startPod(t, client, "b")
	a.mustAdd(t, "u", "a1")
	b.mustAdd(t, "u", "b1")
	s.signal(syscall.SIGSTOP)
	time.Sleep(testTTL) // the time itself is the fault: every lease ends in it
	s.signal(syscall.SIGCONT)
	await(t, "both leases", func() bool {
		return client.Exists(context.Background(), "parley:pod:a").Val()+client.Exists(context.Background(), "parley:pod:b").Val() == 2
	})
	await(t, "both to trust Redis again", func() bool { return a.mayReap() && b.mayReap() })
	if m := members(t, client, "u"); !slices.Equal(m, []string{"a1", "b1"}) {
		t.Errorf("members %v", m)
	}
	for _, p := range []*pod{a, b} {
		if r, l, _ := p.told.counts(); r+l != 0 {
			t.Errorf("told of %d reaped, %d late", r, l)
		}
	}
}

// Right after Redis was away every lease may be missing, so a pod waits until
// the others had the time to renew theirs.
func TestReaperWaitsAfterOutage(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	direct := open(t, s.url())
	line := startProxy(t, s.addr)
	other := startPod(t, direct, "other")
	other.mustAdd(t, "u", "s")
	a := startPod(t, open(t, "redis://"+line.addr), "a")
	line.block()
	other.stop()
	await(t, "both leases to end", func() bool {
		return direct.Exists(context.Background(), "parley:pod:a").Val()+direct.Exists(context.Background(), "parley:pod:other").Val() == 0
	})
	back := time.Now()
	line.blocked.Store(false)
	await(t, "the reaping", func() bool { n, _, _ := a.told.counts(); return n == 1 })
	if waited := time.Since(back); waited < testTTL/gracePart {
		t.Errorf("reaped %v after Redis was back", waited)
	}
}

// A process that comes back under its old id cleans up at once, lease or not.
func TestSamePodID(t *testing.T) {
	t.Parallel()
	client := open(t, startServer(t).url())
	old := newPod(t, client, "a")
	long := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	old.now = func() time.Time { return long }
	old.run(t)
	old.mustAdd(t, "u", "ghost")
	await(t, "the pod to be listed", func() bool { return client.ZScore(context.Background(), "parley:pods", "a").Err() == nil })
	old.stop()
	fresh := newPod(t, client, "a")
	fresh.mustAdd(t, "u", "live") // may come before Run has done anything
	fresh.run(t)
	await(t, "the ghost to go", func() bool { return slices.Equal(members(t, client, "u"), []string{"live"}) })
	await(t, "it to be told", func() bool { n, _, _ := fresh.told.counts(); return n == 1 })
	if d := fresh.told.reaped[0]; d.SocketID != "ghost" || d.left != 1 || !d.At.Equal(long) {
		t.Errorf("told %+v", d)
	}
}

func TestRunEndsCleanly(t *testing.T) {
	client := open(t, startServer(t).url())
	before := goleak.IgnoreCurrent()
	p := startPod(t, client, "a")
	p.mustAdd(t, "u", "s")
	if err := p.Run(context.Background()); err == nil {
		t.Error("ran twice")
	}
	if err := p.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	p.stop()
	goleak.VerifyNone(t, before)
}

func TestNewPresenceRefuses(t *testing.T) {
	t.Parallel()
	client := open(t, "redis://127.0.0.1:1")
	for _, o := range []PresenceOptions{{PodID: "a"}, {Client: client}, {Client: client, PodID: "a:sockets"}, {Client: client, PodID: "a b"}} {
		if _, err := NewPresence(o); err == nil {
			t.Errorf("%q passed", o.PodID)
		}
	}
}

// Redis has lost its data; a pod lets somebody in, and dies before it has looked
// at its lease again. Another finds what it has left behind.
func TestAPodThatDiesRightAfterRedisForgotIt(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) string{
		"redis":   func(t *testing.T) string { return startServer(t).url() },
		"cluster": func(t *testing.T) string { return "redis+cluster://" + startCluster(t).addr },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := open(t, start(t))
			dead, other := newPod(t, client, "dead"), startPod(t, client, "other")
			dead.mustAdd(t, "u", "ghost") // and never again anything
			await(t, "the ghost to be gone", func() bool { return len(members(t, client, "u")) == 0 })
			await(t, "it to be told", func() bool { reaped, _, _ := other.told.counts(); return reaped == 1 })
		})
	}
}

// Whom Redis has forgotten puts everybody back, though the first socket that
// came since has taken a lease for it.
func TestALeaseTakenForASocketIsNoneThatWasHeld(t *testing.T) {
	t.Parallel()
	client := open(t, startServer(t).url())
	ctx := context.Background()
	p := newPod(t, client, "a")
	p.ttl = time.Hour // it looks at its lease by itself, and at everything, long after this
	p.run(t)
	p.mustAdd(t, "u", "before")
	await(t, "the lease", func() bool {
		return client.ZScore(ctx, "parley:pods", "a").Err() == nil && client.Get(ctx, "parley:pod:a").Val() != stopgap
	})
	if err := client.FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	p.mustAdd(t, "w", "after")
	await(t, "all to be back", func() bool { return slices.Equal(members(t, client, "u"), []string{"before"}) })
	await(t, "it to be told", func() bool { _, _, restored := p.told.counts(); return restored == 1 })
}
