package redis

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/models"
)

func TestSessions(t *testing.T) {
	t.Parallel()
	client := open(t, startServer(t).url())
	a, b := newPod(t, client, "a"), newPod(t, client, "b")
	ctx := context.Background()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC)
	whole := models.Session{
		UserID: "u", Over: true, Backlog: 1, Unread: 2, From: at.Add(time.Second),
		Came: at, Before: models.Had{Heard: at.Add(-time.Minute), Seen: []models.MessageID{messageID(0)}},
		Sent: []models.Delivery{{ID: messageID(1), At: at.Add(-time.Hour)}, {ID: messageID(2), At: at}, {ID: messageID(3), At: at.Add(time.Microsecond)}},
	}
	for _, s := range []models.Session{whole, {UserID: "w", Came: at, Before: models.Had{Heard: at}}} {
		if err := a.KeepSession(ctx, "id", s, time.Minute); err != nil {
			t.Fatal(err)
		}
		if ttl := client.PTTL(ctx, "parley:session:id").Val(); ttl <= 0 || ttl > time.Minute {
			t.Errorf("kept for %v", ttl)
		}
		got, found, err := b.TakeSession(ctx, "id")
		if err != nil || !found || !reflect.DeepEqual(got, s) {
			t.Errorf("got %+v, %v, %v; want %+v", got, found, err, s)
		}
		if _, found, err := a.TakeSession(ctx, "id"); found || err != nil {
			t.Errorf("taken twice: %v, %v", found, err)
		}
	}
	for _, junk := range []string{`{"sent":["x"]}`, `{"user":"u","since":9223372036854775807}`, `{"user":"u","since":1,"backlog":-1}`, `{"user":"u","since":1,"unread":1}`, `{"user":"","since":1}`, `[]`} {
		if err := client.Set(ctx, "parley:session:junk", junk, 0).Err(); err != nil {
			t.Fatal(err)
		}
		dropped := a.metrics.(*tally).of(oddSession)
		if _, found, err := a.TakeSession(ctx, "junk"); found || err != nil {
			t.Errorf("%s: %v, %v", junk, found, err)
		}
		if a.metrics.(*tally).of(oddSession) != dropped+1 {
			t.Errorf("%s was not counted", junk)
		}
	}
	// What an older version kept of somebody else's event.
	if err := client.Set(ctx, "parley:session:old", `{"user":"u","since":1767323045678901,"seen":["notice-1"],"sent":["notice-2","000000000000000000000003"],"steps":[1767323045678901,1]}`, 0).Err(); err != nil {
		t.Fatal(err)
	}
	s, found, err := a.TakeSession(ctx, "old")
	if err != nil || !found || len(s.Before.Seen) != 0 || len(s.Sent) != 1 || s.Sent[0].ID != messageID(3) {
		t.Errorf("%+v, %v, %v", s, found, err)
	}
}

// awaited is what a waiter for a session was answered.
type awaited struct {
	session models.Session
	found   bool
	err     error
}

func (p *pod) awaitSession(ctx context.Context, id models.SessionID) <-chan awaited {
	answer := make(chan awaited, 1)
	go func() {
		s, found, err := p.AwaitSession(ctx, id, time.Hour)
		answer <- awaited{s, found, err}
	}()
	return answer
}

func (p *pod) mustKeep(t *testing.T, id models.SessionID, user models.UserID) {
	t.Helper()
	s := models.Session{UserID: user, Came: time.Now().Add(-time.Minute)}
	if err := p.KeepSession(context.Background(), id, s, time.Minute); err != nil {
		t.Fatal(err)
	}
}

// answered fails where it takes about as long as waiting does: nobody looks again
// and again here.
func answered(t *testing.T, what string, answer <-chan awaited) awaited {
	t.Helper()
	select {
	case a := <-answer:
		return a
	case <-time.After(30 * time.Second):
		t.Fatalf("%s: no answer", what)
		return awaited{}
	}
}

func (p *pod) listens(channel string) bool {
	n, err := p.client.PubSubNumSub(context.Background(), channel).Result()
	return err == nil && n[channel] > 0
}

func testAwaitedSessions(t *testing.T, a, b *pod) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	waits := b.awaitSession(ctx, "later")
	await(t, "b to listen", func() bool { return b.listens("parley:session:later") })
	a.mustKeep(t, "later", "u")
	if got := answered(t, "kept meanwhile", waits); got.err != nil || !got.found || got.session.UserID != "u" {
		t.Errorf("kept meanwhile: %+v", got)
	}
	a.mustKeep(t, "before", "u")
	if got := answered(t, "kept before", b.awaitSession(ctx, "before")); got.err != nil || !got.found {
		t.Errorf("kept before: %+v", got)
	}
	if _, found, err := b.AwaitSession(ctx, "never", 10*time.Millisecond); found || err != nil {
		t.Errorf("never kept: %v, %v", found, err)
	}
	waits = b.awaitSession(ctx, "given up")
	cancel()
	if got := answered(t, "given up", waits); got.found || models.CodeOf(got.err) != models.CodeUnavailable {
		t.Errorf("given up: %+v", got)
	}
	await(t, "nobody to listen", func() bool {
		b.notices.mu.Lock()
		defer b.notices.mu.Unlock()
		return !b.notices.running && len(b.notices.waiting) == 0
	})
}

// Who waits for a departure to be noted is told, and not of one that is over.
func testAwaitedAbsences(t *testing.T, a, b *pod) {
	ctx := context.Background()
	since := time.Now().Add(-time.Minute).UTC().Truncate(time.Millisecond)
	back := models.Absence{Since: since.Add(-time.Minute), Back: since}
	if err := a.MarkBack(ctx, "awaited", back, time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, noted, err := b.AwaitAway(ctx, "awaited", 10*time.Millisecond); noted || err != nil {
		t.Errorf("one who is back: %v, %v", noted, err)
	}
	away := make(chan models.Absence, 1)
	go func() {
		absence, noted, err := b.AwaitAway(ctx, "awaited", time.Hour)
		if !noted || err != nil {
			t.Errorf("noted meanwhile: %v, %v", noted, err)
		}
		away <- absence
	}()
	await(t, "b to listen", func() bool { return b.listens("parley:absence:awaited") })
	if err := a.MarkAway(ctx, "awaited", "s", models.Absence{Since: since}); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-away:
		if !got.Since.Equal(since) || !got.Back.IsZero() {
			t.Errorf("noted meanwhile: %+v", got)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("noted meanwhile: no answer")
	}
	if got, noted, err := b.AwaitAway(ctx, "awaited", time.Hour); !noted || err != nil || !got.Since.Equal(since) {
		t.Errorf("noted before: %+v, %v, %v", got, noted, err)
	}
}

// A pod's clients may come back all at once: who waits takes no connection.
func TestThoseWhoWaitForSessionsShareAConnection(t *testing.T) {
	t.Parallel()
	const many = 500
	client := open(t, startServer(t).url())
	a, b := newPod(t, client, "a"), newPod(t, client, "b")
	ctx := context.Background()
	id := func(i int) models.SessionID { return models.SessionID(fmt.Sprintf("id-%d", i)) }
	var waits [many]<-chan awaited
	for i := range waits {
		waits[i] = b.awaitSession(ctx, id(i))
	}
	everybody := func() bool {
		for i := range waits {
			if !b.listens("parley:session:" + string(id(i))) {
				return false
			}
		}
		return true
	}
	await(t, "everybody to be listened for", everybody)
	subscribers := func() string { return client.Do(ctx, "CLIENT", "LIST", "TYPE", "pubsub").Val().(string) }
	if n := strings.Count(subscribers(), "\n"); n != 1 {
		t.Errorf("%d connections", n)
	}
	// What is kept while that one is broken is found once it is there again.
	if err := client.Do(ctx, "CLIENT", "KILL", "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	var keepers sync.WaitGroup
	for i := range waits {
		keepers.Go(func() { a.mustKeep(t, id(i), "u") })
	}
	keepers.Wait()
	for i := range waits {
		if got := answered(t, string(id(i)), waits[i]); got.err != nil || !got.found {
			t.Fatalf("%d: %+v", i, got)
		}
	}
	await(t, "the connection to be closed", func() bool { return subscribers() == "" })
}
