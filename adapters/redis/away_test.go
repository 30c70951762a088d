package redis

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/models"
)

// A Redis that lost everything gets everything back, and nobody is told that
// anybody left.
func TestFlushIsRepaired(t *testing.T) {
	t.Parallel()
	client := open(t, startServer(t).url())
	a, b := startPod(t, client, "a"), startPod(t, client, "b")
	const n = 450
	for i := range n {
		a.mustAdd(t, userName(i), socketName(i))
	}
	b.mustAdd(t, userName(0), "b0")
	if err := client.FlushAll(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
	await(t, "all to be back", func() bool {
		_, _, ra := a.told.counts()
		_, _, rb := b.told.counts()
		return ra == n && rb == 1
	})
	if m := members(t, client, userName(0)); !slices.Equal(m, []string{"b0", "socket-0"}) {
		t.Errorf("members %v", m)
	}
	if hash := client.HLen(context.Background(), "parley:pod:a:sockets").Val(); hash != n {
		t.Errorf("%d in the hash", hash)
	}
	for _, p := range []*pod{a, b} {
		if r, l, _ := p.told.counts(); r+l != 0 {
			t.Errorf("told of %d reaped, %d late", r, l)
		}
	}
}

// Part of the data is lost and the lease is not: the audit of each TTL finds it.
func TestAuditFindsLostSocket(t *testing.T) {
	t.Parallel()
	client := open(t, startServer(t).url())
	a := startPod(t, client, "a")
	a.mustAdd(t, "u", "s1", "s2")
	if err := client.SRem(context.Background(), "user:u:sockets", "s1").Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.HSet(context.Background(), "parley:pod:a:sockets", "stray", "u").Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.SAdd(context.Background(), "user:u:sockets", "stray").Err(); err != nil {
		t.Fatal(err)
	}
	await(t, "the sets to be right", func() bool { return slices.Equal(members(t, client, "u"), []string{"s1", "s2"}) })
	await(t, "both to be told", func() bool { r, _, s := a.told.counts(); return r == 1 && s == 1 })
}

// What is there is looked at and not written: idle sockets are most of what a
// large Redis is asked about.
func TestAuditWritesNothingThatIsThere(t *testing.T) {
	t.Parallel()
	client := open(t, startServer(t).url())
	ctx := context.Background()
	a := newPod(t, client, "a")
	a.mustAdd(t, "u", "s1", "s2")
	a.mustAdd(t, "v", "s3")
	calls := func() map[string]string {
		t.Helper()
		stats, err := client.Info(ctx, "commandstats").Result()
		if err != nil {
			t.Fatal(err)
		}
		n := map[string]string{}
		for line := range strings.Lines(stats) {
			name, rest, _ := strings.Cut(line, ":calls=")
			n[strings.TrimPrefix(name, "cmdstat_")], _, _ = strings.Cut(rest, ",")
		}
		return n
	}
	before := calls()
	if err := a.restore(ctx); err != nil {
		t.Fatal(err)
	}
	after := calls()
	for _, writes := range []string{"eval", "sadd", "hset"} {
		if before[writes] != after[writes] {
			t.Errorf("%s: %s calls, %s before the audit", writes, after[writes], before[writes])
		}
	}
	if looks := after["sismember"]; looks != "3" {
		t.Errorf("%q sockets were looked for, of three", looks)
	}
	// Out of the pod's hash alone nobody would clean up after it.
	if err := client.HDel(ctx, "parley:pod:a:sockets", "s3").Err(); err != nil {
		t.Fatal(err)
	}
	if err := a.restore(ctx); err != nil {
		t.Fatal(err)
	}
	if user := client.HGet(ctx, "parley:pod:a:sockets", "s3").Val(); user != "v" {
		t.Errorf("the pod's hash has %q for the socket", user)
	}
	if _, _, restored := a.told.counts(); restored != 0 {
		t.Errorf("%d were told of that had not been away", restored)
	}
}

// Redis is killed and starts again, empty. Removals meanwhile are done and told
// late, and what is still live is back.
func TestRedisKilledAndBack(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	client := open(t, s.url())
	a, b := startPod(t, client, "a"), startPod(t, client, "b")
	a.mustAdd(t, "u", "a1", "a2")
	a.mustAdd(t, "w", "a3")
	b.mustAdd(t, "u", "b1")
	s.kill()
	ctx := context.Background()
	left := time.Now()
	for socket, user := range map[models.SocketID]models.UserID{"a1": "u", "a3": "w"} {
		start := time.Now()
		if _, _, err := a.Remove(ctx, user, socket, time.Time{}); models.CodeOf(err) != models.CodeUnavailable {
			t.Fatalf("remove: %v", err)
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("an absent Redis cost %v", took)
		}
	}
	if _, err := a.Add(ctx, "x", "a4"); models.CodeOf(err) != models.CodeUnavailable {
		t.Fatalf("add: %v", err)
	}
	if _, err := a.Count(ctx, "u"); models.CodeOf(err) != models.CodeUnavailable {
		t.Fatalf("count: %v", err)
	}
	if _, _, err := a.Away(ctx, "u"); models.CodeOf(err) != models.CodeUnavailable {
		t.Fatalf("away: %v", err)
	}
	s.start()
	await(t, "the live ones to be back", func() bool { return slices.Equal(members(t, client, "u"), []string{"a2", "b1"}) })
	await(t, "the late ones to be told", func() bool { _, late, _ := a.told.counts(); return late == 2 })
	for _, d := range a.told.late {
		if d.Reason != ReasonLate || d.At.Before(left) || (d.UserID == "w" && d.left != 0) || (d.UserID == "u" && d.left > 2) {
			t.Errorf("told %+v", d)
		}
	}
	if m := members(t, client, "x"); len(m) != 0 {
		t.Errorf("a refused socket is in: %v", m)
	}
	for _, p := range []*pod{a, b} {
		if r, _, _ := p.told.counts(); r != 0 {
			t.Errorf("told of %d reaped", r)
		}
	}
}

// The socket of a Remove is not in its set because Redis lost it before anybody
// noticed: the departure is told all the same, once others could come back.
func TestRemoveAfterLoss(t *testing.T) {
	t.Parallel()
	client := open(t, startServer(t).url())
	ctx := context.Background()
	a, b := newPod(t, client, "a"), newPod(t, client, "b")
	a.mustAdd(t, "u", "a1")
	b.mustAdd(t, "u", "b1")
	if err := client.FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	lost := time.Now()
	for range 2 {
		if removed, _, err := a.Remove(ctx, "u", "a1", time.Time{}); removed || models.CodeOf(err) != models.CodeUnavailable {
			t.Fatalf("%v, %v", removed, err)
		}
	}
	a.run(t)
	b.run(t)
	await(t, "it to be told", func() bool { _, late, _ := a.told.counts(); return late == 1 })
	if waited := time.Since(lost); waited < testTTL/gracePart {
		t.Errorf("told after %v", waited)
	}
	if d := a.told.late[0]; d.left != 1 {
		t.Errorf("told before the other pod was back: %+v", d)
	}
	if m := members(t, client, "u"); !slices.Equal(m, []string{"b1"}) {
		t.Errorf("members %v", m)
	}
}

// The answer to a Remove gets lost: Redis did it, and this pod has to tell.
func TestAnswerGetsLost(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	direct := open(t, s.url())
	client := open(t, s.url())
	line := &deaf{}
	client.AddHook(line)
	a := startPod(t, client, "a")
	a.mustAdd(t, "u", "a1")
	line.on.Store(true)
	ctx := context.Background()
	if _, _, err := a.Remove(ctx, "u", "a1", time.Time{}); models.CodeOf(err) != models.CodeUnavailable {
		t.Fatalf("remove: %v", err)
	}
	if _, err := a.Add(ctx, "x", "a2"); models.CodeOf(err) != models.CodeUnavailable {
		t.Fatalf("add: %v", err)
	}
	if u, x := members(t, direct, "u"), members(t, direct, "x"); len(u) != 0 || len(x) != 1 {
		t.Fatalf("Redis holds %v and %v", u, x)
	}
	line.on.Store(false)
	await(t, "it to be told", func() bool { _, late, _ := a.told.counts(); return late == 1 })
	await(t, "the refused socket to go", func() bool { return len(members(t, direct, "x")) == 0 })
	await(t, "nothing to be left to do", func() bool { return a.sockets.leaving.Load() == 0 })
	if d := a.told.late[0]; d.SocketID != "a1" || d.left != 0 {
		t.Errorf("told %+v", d)
	}
	if _, late, _ := a.told.counts(); late != 1 {
		t.Errorf("the refused socket was told of")
	}
}

// The answer to an audit gets lost: what it put back is told by the next, and
// what was not missing is not.
func TestAnswerToAnAuditGetsLost(t *testing.T) {
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
			direct, client := open(t, url), open(t, url)
			line := &deaf{only: "eval"}
			client.AddHook(line)
			ctx := context.Background()
			a := newPod(t, client, "a")
			a.ttl = time.Minute // each call may take 2 s then
			a.mustAdd(t, "u", "lost", "there")
			if err := direct.SRem(ctx, "user:u:sockets", "lost").Err(); err != nil {
				t.Fatal(err)
			}
			line.on.Store(true)
			if err := a.restore(ctx); models.CodeOf(err) != models.CodeUnavailable {
				t.Fatalf("restore: %v", err)
			}
			if m := members(t, direct, "u"); !slices.Equal(m, []string{"lost", "there"}) {
				t.Fatalf("members %v", m)
			}
			line.on.Store(false)
			for range 2 {
				await(t, "an audit", func() bool { return a.restore(ctx) == nil })
				if !slices.Equal(a.told.restored, []models.SocketID{"lost"}) || !slices.Equal(a.told.others, []int{1}) {
					t.Errorf("told of %v with %v others", a.told.restored, a.told.others)
				}
			}
		})
	}
}

// A canceled caller does not leave a socket behind.
func TestCanceledAdd(t *testing.T) {
	t.Parallel()
	client := open(t, startServer(t).url())
	a := startPod(t, client, "a")
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := a.Add(gone, "u", "s"); models.CodeOf(err) != models.CodeUnavailable {
		t.Fatalf("add: %v", err)
	}
	await(t, "the entry to go", func() bool { return !a.sockets.knows("s") })
	if m := members(t, client, "u"); len(m) != 0 {
		t.Errorf("members %v", m)
	}
}

// A Redis that is slow while this pod stops: it leaves nothing to the others.
func TestCloseOfASlowRedis(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	direct := open(t, s.url())
	client, err := Open(Options{URL: s.url(), Patience: patience}) // it is what is tested here
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	ctx := context.Background()
	a := startPod(t, client, "a")
	await(t, "a socket", func() bool { _, err := a.Add(ctx, "u", "a1"); return err == nil })
	await(t, "the lease", func() bool { return direct.Exists(ctx, leaseKey("a")).Val() == 1 })
	if err := direct.Do(ctx, "CLIENT", "PAUSE", (patience + 200*time.Millisecond).Milliseconds()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(ctx); err != nil {
		t.Fatal(err)
	}
	left, err := direct.Keys(ctx, "*").Result()
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A pod that stops tells what it still has to tell while it can.
func TestSettle(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	client := open(t, s.url())
	line := &deaf{}
	client.AddHook(line)
	a := newPod(t, client, "a") // its loops do not run
	ctx := context.Background()
	a.mustAdd(t, "u", "a1")
	line.on.Store(true)
	if _, _, err := a.Remove(ctx, "u", "a1", time.Time{}); models.CodeOf(err) != models.CodeUnavailable {
		t.Fatalf("remove: %v", err)
	}
	line.on.Store(false)
	a.Settle(ctx)
	a.Settle(ctx)
	if _, late, _ := a.told.counts(); late != 1 || a.sockets.leaving.Load() != 0 {
		t.Errorf("told %d times, %d left to do", late, a.sockets.leaving.Load())
	}
}
