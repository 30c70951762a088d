package mongo

import (
	"context"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

const (
	undoPauseMin = 100 * time.Millisecond
	undoPauseMax = 2 * time.Second
	// lateWrites is for how many operation timeouts a write without an answer
	// is feared to happen still.
	lateWrites = 2
)

// trace is one document a failed write may have left behind.
type trace struct {
	coll   *mongo.Collection
	filter bson.D
	// due is when to delete next.
	due time.Time
	// last is when the write can no longer be under way: one whose answer never
	// came may still happen after a deletion that found nothing. Zero for a
	// write the server answered.
	last time.Time
}

// undoer deletes what failed writes left behind. It tries at once, in the
// request, and goes on in one goroutine of its own until nothing is left.
type undoer struct {
	store *Store
	limit int

	mu      sync.Mutex
	waiting []trace
	closed  bool

	wake chan struct{}
	stop context.CancelFunc
	done chan struct{}
}

func newUndoer(s *Store, limit int) *undoer {
	// The goroutine outlives every request; Close ends it.
	ctx, cancel := context.WithCancel(context.Background())
	u := &undoer{store: s, limit: limit, wake: make(chan struct{}, 1), stop: cancel, done: make(chan struct{})}
	go u.run(ctx)
	return u
}

// take undoes the writing of docs. The deletion names updatedAt too, so that it
// misses what somebody has made theirs since; see InsertMissing.
func (u *undoer) take(ctx context.Context, coll *mongo.Collection, docs []bson.D, answered bool) {
	if len(docs) == 0 {
		return
	}
	var last time.Time
	if !answered {
		last = time.Now().Add(lateWrites * u.store.timeout)
	}
	traces := make([]trace, 0, len(docs))
	for _, d := range docs {
		filter := byID(d[0].Value)
		for _, e := range d {
			if e.Key == "updatedAt" {
				filter = append(filter, e)
			}
		}
		traces = append(traces, trace{coll: coll, filter: filter, last: last})
	}
	// The request may be out of time, which is no reason to leave half of it.
	now, cancel := context.WithTimeout(context.WithoutCancel(ctx), u.store.timeout/5)
	defer cancel()
	kept, err := tryDelete(now, traces, u.store.timeout/5)
	if err != nil {
		u.store.logger.Warn("mongo: a failed write is undone later", "documents", len(kept), "error", err)
	}
	u.enqueue(kept)
}

// tryDelete deletes what is due and returns what has to wait: what could not be
// deleted, and what may yet be written. It stops at the first error.
func tryDelete(ctx context.Context, traces []trace, each time.Duration) (kept []trace, failed error) {
	for _, t := range traces {
		now := time.Now()
		if failed == nil && !t.due.After(now) {
			if failed = t.delete(ctx, each); failed == nil {
				if t.last.Before(now) {
					continue
				}
				t.due = t.last
			}
		}
		kept = append(kept, t)
	}
	return kept, failed
}

func (t trace) delete(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	// Most often there is nothing, which is found out by _id alone: all that an
	// embedded server can look up without reading the whole collection.
	raw, err := one(t.coll.FindOne(ctx, t.filter[:1]))
	if err != nil || raw == nil {
		return err
	}
	_, err = t.coll.DeleteOne(ctx, t.filter)
	return err
}

func (u *undoer) enqueue(traces []trace) {
	if len(traces) == 0 {
		return
	}
	u.mu.Lock()
	reason, room := "undo_queue_full", max(0, u.limit-len(u.waiting))
	if u.closed {
		reason, room = "undo_closed", 0
	}
	dropped := max(0, len(traces)-room)
	u.waiting = append(u.waiting, traces[:len(traces)-dropped]...)
	u.mu.Unlock()
	if dropped > 0 {
		u.store.metrics.MongoError(reason)
		u.store.logger.Error("mongo: a failed write is not undone", "reason", reason, "documents", dropped)
	}
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// next is when the next trace is due; false when there is none.
func (u *undoer) next() (due time.Time, any bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, t := range u.waiting {
		if i == 0 || t.due.Before(due) {
			due = t.due
		}
	}
	return due, len(u.waiting) > 0
}

// run sleeps until something is due, tries, and after a failure waits longer
// each time.
func (u *undoer) run(ctx context.Context) {
	defer close(u.done)
	pause := undoPauseMin
	for {
		var timer <-chan time.Time
		if due, any := u.next(); any {
			timer = time.After(max(time.Until(due), pause))
		}
		select {
		case <-ctx.Done():
			return
		case <-u.wake:
			continue // look again at what is due
		case <-timer:
		}
		if err := u.pass(ctx); err != nil {
			pause = min(2*pause, undoPauseMax)
			u.store.logger.Warn("mongo: a failed write is not undone yet", "error", err)
		} else {
			pause = undoPauseMin
		}
	}
}

// pass deletes what is due.
func (u *undoer) pass(ctx context.Context) error {
	u.mu.Lock()
	todo := u.waiting
	u.waiting = nil
	u.mu.Unlock()
	kept, err := tryDelete(ctx, todo, u.store.timeout)
	u.mu.Lock()
	u.waiting = append(kept, u.waiting...)
	u.mu.Unlock()
	return err
}

// close ends the goroutine and deletes once more what is left, due or not.
func (u *undoer) close(ctx context.Context) {
	u.mu.Lock()
	again := u.closed
	u.closed = true
	u.mu.Unlock()
	if again {
		return
	}
	u.stop()
	<-u.done
	for i, t := range u.waiting {
		if err := t.delete(ctx, u.store.timeout); err != nil {
			u.store.metrics.MongoError("undo_closed")
			u.store.logger.Error("mongo: failed writes are not undone", "reason", "undo_closed", "documents", len(u.waiting)-i, "error", err)
			return
		}
	}
}
