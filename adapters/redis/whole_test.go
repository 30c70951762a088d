package redis

import (
	"context"
	"slices"
	"testing"
	"time"

	"parley/models"
)

// A pod and all Redis knew are gone together: who was there, on that pod, is told
// of, once; who is there is not.
func TestWhoWasThereBeforeRedisForgot(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	client := open(t, startServer(t).url())
	a, _ := gracefulPod(t, client, "a")
	b, atB := gracefulPod(t, client, "b")
	whole := func() bool { return client.Exists(ctx, wholeKey).Val() == 1 }
	await(t, "a new Redis to be looked at", whole)
	a.mustAdd(t, "gone", "s1")
	b.mustAdd(t, "there", "s2")
	a.stop()
	atB.mu.Lock()
	atB.known = []models.UserID{"gone", "there"}
	atB.mu.Unlock()
	before := time.Now()
	if err := client.FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	await(t, "it to be looked at again", whole)
	if took := time.Since(before); took < testTTL/leasePart {
		t.Errorf("looked after %v, while pods may yet put back what they have", took)
	}
	await(t, "the one who is gone", func() bool { return len(atB.of("gone")) == 1 })
	if m := members(t, client, "there"); !slices.Equal(m, []string{"s2"}) || len(atB.of("there")) != 0 {
		t.Errorf("of one who is there: %v, told %v", m, atB.of("there"))
	}
	// Noted late, for another device of theirs: it is the same absence.
	if err := b.NoteLeft(ctx, "gone", atB.of("gone")[0].Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	await(t, "a look", func() bool { return client.ZCard(ctx, untoldKey).Val() == 0 })
	if got := atB.of("gone"); len(got) != 1 {
		t.Errorf("told %v", got)
	}
	// Nobody who is not sure that all was put back notes anything.
	if err := b.NoteMissing(ctx, []models.UserID{"never"}, now()); err == nil || client.Exists(ctx, b.leftKey("never")).Val() != 0 {
		t.Errorf("noted without a claim: %v", err)
	}
}
