package cluster

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestFlushWaitsForWhatWasPushedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(10, 1<<20, func(*outgoing, string) {})
		if err := q.flushed(context.Background()); err != nil {
			t.Fatalf("an empty queue: %v", err)
		}
		for range 3 {
			q.push(&outgoing{channel: "c"})
		}
		done := make(chan error, 1)
		go func() { done <- q.flushed(context.Background()) }()
		first := q.take(2, 1<<20)
		q.published(first[1])
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("flushed with one of three on its way")
		default:
		}
		q.push(&outgoing{channel: "later"}) // nobody waits for this one
		second := q.take(1, 1<<20)
		q.published(second[0])
		if err := <-done; err != nil {
			t.Fatal(err)
		}

		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := q.flushed(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with one never published: %v", err)
		}
	})
}

func TestFlushPassesWhatIsMoot(t *testing.T) {
	q := newQueue(10, 1<<20, func(*outgoing, string) {})
	heard := &outgoing{channel: "c"}
	q.push(heard)
	heard.echoed.Store(true) // it came back on our own subscription
	if batch := q.take(5, 1<<20); len(batch) != 0 {
		t.Fatalf("took %v", batch)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := q.flushed(ctx); err != nil {
		t.Error(err)
	}
}
