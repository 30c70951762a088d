package redis

import (
	"context"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

// testOdd lets others, and older versions, write what they should not have:
// nobody is refused for it, what can be believed is, and all else is counted.
func testOdd(t *testing.T, client driver.UniversalClient, a *pod) {
	ctx := context.Background()
	dropped := a.metrics.(*tally)
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	t.Run("notes", func(t *testing.T) {
		now := time.Now().UTC().Truncate(time.Microsecond)
		us := func(at time.Time) string { return strconv.FormatInt(at.UnixMicro(), 10) }
		good := models.Absence{Since: now, Had: models.Had{Seen: []models.MessageID{messageID(1)}}}
		for what, tc := range map[string]struct {
			note []any
			want models.Absence
			ok   bool
		}{
			"an older version's":  {[]any{"since", us(now), "seen", `["notice-1","000000000000000000000001"]`}, good, true},
			"no list":             {[]any{"since", us(now), "seen", `{}`}, models.Absence{Since: now}, true},
			"a list of anything":  {[]any{"since", us(now), "seen", `[7,null,"000000000000000000000001",["x"]]`}, good, true},
			"nothing seen":        {[]any{"since", us(now)}, models.Absence{Since: now}, true},
			"a word for a time":   {[]any{"since", "yesterday", "seen", "[]"}, models.Absence{}, false},
			"no time":             {[]any{"seen", "[]"}, models.Absence{}, false},
			"a time to come":      {[]any{"since", us(now.AddDate(7000, 0, 0)), "seen", "[]"}, models.Absence{}, false},
			"the end of all time": {[]any{"since", strconv.FormatInt(math.MaxInt64, 10), "seen", "[]"}, models.Absence{}, false},
			"beyond it":           {[]any{"since", "1e30", "seen", "[]"}, models.Absence{}, false},
		} {
			user := models.UserID("odd note")
			do(client.Del(ctx, absenceKey(user)).Err())
			do(client.HSet(ctx, absenceKey(user), tc.note...).Err())
			before := dropped.of(oddAbsence)
			arrival, err := a.Add(ctx, user, "n1")
			if err != nil || arrival.Noted != tc.ok || !arrival.Absence.Since.Equal(tc.want.Since) || !slices.Equal(arrival.Absence.Seen, tc.want.Seen) {
				t.Errorf("%s: %+v, %v", what, arrival, err)
			}
			if dropped.of(oddAbsence) != before+1 {
				t.Errorf("%s was not counted", what)
			}
			// It does not outlive the next that is made.
			later := now.Add(time.Microsecond)
			do(a.MarkAway(ctx, user, "n1", models.Absence{Since: later}))
			if got, found, err := a.Away(ctx, user); err != nil || !found || !got.Since.Equal(later) {
				t.Errorf("%s, noted anew: %+v, %v, %v", what, got, found, err)
			}
			do(client.HSet(ctx, absenceKey(user), tc.note...).Err())
			do(a.MarkBack(ctx, user, models.Absence{Since: now, Back: later}, time.Minute))
			if got, found, err := a.Away(ctx, user); err != nil || !found || !got.Back.Equal(later) {
				t.Errorf("%s, back: %+v, %v, %v", what, got, found, err)
			}
			if _, _, err := a.Remove(ctx, user, "n1", time.Time{}); err != nil {
				t.Error(err)
			}
		}
	})

	t.Run("types", func(t *testing.T) {
		user := models.UserID("odd key")
		spoil := func(keys ...string) {
			t.Helper()
			for _, key := range keys {
				do(client.Set(ctx, key, "somebody's", 0).Err())
			}
		}
		spoil(userKey(user), absenceKey(user), socketsKey("c"))
		if arrival, err := a.Add(ctx, user, "k1"); err != nil || arrival.Others != 0 || arrival.Noted {
			t.Fatalf("%+v, %v", arrival, err)
		}
		if m := members(t, client, user); !slices.Equal(m, []string{"k1"}) {
			t.Errorf("members %v", m)
		}
		if n := dropped.of(oddKey); n < 3 {
			t.Errorf("counted %d", n)
		}
		spoil(userKey(user), socketsKey("c"))
		// What somebody wrote over is lost as by a Redis that forgot.
		if removed, left, err := a.Remove(ctx, user, "k1", time.Time{}); removed || left != 0 || models.CodeOf(err) != models.CodeUnavailable {
			t.Errorf("remove: %v, %d, %v", removed, left, err)
		}
		for what, ask := range map[string]func() error{
			"count":   func() error { n, err := a.Count(ctx, user); return none(n, err) },
			"ours":    func() error { n, err := a.Ours(ctx, user); return none(n, err) },
			"sockets": func() error { all, err := a.Sockets(ctx, user); return none(len(all), err) },
			"online": func() error {
				online, err := a.Online(ctx, []models.UserID{"x", user})
				if online[user] {
					t.Error("online by a word")
				}
				return err
			},
		} {
			spoil(userKey(user))
			if err := ask(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		for what, call := range map[string]func() error{
			"away": func() error { return a.MarkAway(ctx, user, "k1", models.Absence{Since: time.Now()}) },
			"back": func() error {
				return a.MarkBack(ctx, user, models.Absence{Since: time.Now(), Back: time.Now()}, time.Minute)
			},
			"forget": func() error { return a.ForgetAway(ctx, user, "k1", time.Minute) },
			"look":   func() error { _, _, err := a.Away(ctx, user); return err },
		} {
			spoil(absenceKey(user))
			if err := call(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		do(client.LPush(ctx, sessionKey("odd"), "x").Err())
		if _, found, err := a.TakeSession(ctx, "odd"); found || err != nil {
			t.Errorf("session: %v, %v", found, err)
		}
		spoil(podsKey)
		await(t, "the pods to be listed again", func() bool { n, err := a.Pods(ctx); return err == nil && n == 2 })
	})
}

func none(n int, err error) error {
	if err == nil && n != 0 {
		err = strconv.ErrRange
	}
	return err
}

// testBeside adds sockets beside those of Parley's pods and of nobody's.
func testBeside(t *testing.T, client driver.UniversalClient, a, b *pod) {
	ctx := context.Background()
	user := models.UserID("beside")
	if err := client.SAdd(ctx, userKey(user), "of a Node pod").Err(); err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		p      *pod
		socket models.SocketID
		ours   int
	}{{a, "p1", 0}, {b, "p2", 1}, {a, "p3", 2}, {a, "p1", 2}} {
		arrival, err := step.p.Add(ctx, user, step.socket)
		if err != nil || arrival.Ours != step.ours || arrival.Others != step.ours+1 {
			t.Errorf("step %d: %+v, %v", i, arrival, err)
		}
	}
	if n, err := b.Ours(ctx, user); n != 3 || err != nil {
		t.Errorf("%d are ours, %v", n, err)
	}
	// A pod of Parley's that died: its sockets are ours until they are cleaned up after.
	client.ZAdd(ctx, podsKey, driver.Z{Score: float64(time.Now().UnixMilli()), Member: "dead"})
	client.Set(ctx, leaseKey("dead"), 1, time.Minute)
	client.HSet(ctx, socketsKey("dead"), "p4", string(user))
	client.SAdd(ctx, userKey(user), "p4")
	if n, err := b.Ours(ctx, user); n != 4 || err != nil {
		t.Errorf("%d are ours, %v", n, err)
	}
	for _, p := range []struct {
		p      *pod
		socket models.SocketID
	}{{a, "p1"}, {b, "p2"}, {a, "p3"}} {
		if _, _, err := p.p.Remove(ctx, user, p.socket, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	client.SRem(ctx, userKey(user), "p4")
	client.ZRem(ctx, podsKey, "dead")
	client.Del(ctx, leaseKey("dead"), socketsKey("dead"))
	if n, err := b.Ours(ctx, user); n != 0 || err != nil {
		t.Errorf("%d are ours, %v", n, err)
	}
	if n, err := b.Count(ctx, user); n != 1 || err != nil {
		t.Errorf("%d in all, %v", n, err)
	}
	client.Del(ctx, userKey(user))
}

// A place on the list that no pod gave itself does not move anybody's absence.
func TestPodsOfOddTimes(t *testing.T) {
	t.Parallel()
	client := open(t, startServer(t).url())
	ctx := context.Background()
	for pod, score := range map[string]float64{"later": 1e300, "before": -1e300, "never": math.Inf(1)} {
		client.ZAdd(ctx, podsKey, driver.Z{Score: score, Member: pod})
		client.HSet(ctx, socketsKey(pod), "s-"+pod, "u-"+pod, "odd-"+pod, "no\x01user")
		client.SAdd(ctx, "user:u-"+pod+":sockets", "s-"+pod)
	}
	began := time.Now()
	a := startPod(t, client, "a")
	await(t, "all to be told", func() bool { reaped, _, _ := a.told.counts(); return reaped == 3 })
	a.told.mu.Lock()
	defer a.told.mu.Unlock()
	for _, d := range a.told.reaped {
		if d.At.After(time.Now()) || d.At.Before(began.Add(-2*testTTL)) || d.UserID == "" {
			t.Errorf("told %+v", d)
		}
	}
	if n := a.metrics.(*tally).of(oddUser); n < 3 {
		t.Errorf("%d odd users counted", n)
	}
}
