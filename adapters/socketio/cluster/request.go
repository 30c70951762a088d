package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"parley/models"
)

// maxRequests bounds the requests that wait for answers at one time.
const maxRequests = 1 << 14

var (
	errTimeout = errors.New("not every pod answered in time")
	errClosed  = errors.New("the bus is closed")
)

// unavailable is how this package fails: what was asked can be asked again.
func unavailable(err error) error { return models.Unavailable("cluster", err) }

// request is one question to the other pods. It is over when every pod that
// listened as it was published has answered, or when it has failed.
type request struct {
	id string

	mu       sync.Mutex
	expected int // -1 until the question was published
	answers  []any
	ended    bool
	timer    *time.Timer
	done     func(answers []any, err error)
	table    *requests

	// For a broadcast with acknowledgements, which has no end but its timeout.
	clients func(n int)
	ack     func(args []any)
}

func (r *request) over() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended
}

// expect says how many answers there will be.
func (r *request) expect(n int) {
	r.mu.Lock()
	r.expected = max(0, n)
	r.finish(nil)
}

// answer adds one pod's answer.
func (r *request) answer(a any) {
	r.mu.Lock()
	if !r.ended {
		r.answers = append(r.answers, a)
	}
	r.finish(nil)
}

// fail ends it with the answers so far.
func (r *request) fail(err error) {
	r.mu.Lock()
	r.finish(err)
}

// finish unlocks r, and calls done once where r has come to its end.
func (r *request) finish(err error) {
	complete := r.done != nil && r.expected >= 0 && len(r.answers) >= r.expected
	if r.ended || (err == nil && !complete) {
		r.mu.Unlock()
		return
	}
	r.ended = true
	answers, timer := r.answers, r.timer
	r.mu.Unlock()
	if timer != nil {
		timer.Stop()
		r.table.remove(r)
	}
	if r.done != nil {
		r.done(answers, err)
	}
}

// requests are the questions under way.
type requests struct {
	mu     sync.Mutex
	byID   map[string]*request
	closed bool
}

// add enters r until it is over, timeout at the latest.
func (t *requests) add(r *request, timeout time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return unavailable(errClosed)
	case len(t.byID) >= maxRequests:
		return unavailable(errTooMany)
	}
	if t.byID == nil {
		t.byID = map[string]*request{}
	}
	t.byID[r.id] = r
	r.mu.Lock()
	r.expected = -1
	r.timer = time.AfterFunc(timeout, func() {
		r.fail(unavailable(errTimeout))
	})
	r.table = t
	r.mu.Unlock()
	return nil
}

func (t *requests) get(id string) *request {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[id]
}

func (t *requests) remove(r *request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byID, r.id)
}

// close fails everything that still waits.
func (t *requests) close() {
	t.mu.Lock()
	t.closed = true
	waiting := make([]*request, 0, len(t.byID))
	for _, r := range t.byID {
		waiting = append(waiting, r)
	}
	t.byID = nil
	t.mu.Unlock()
	for _, r := range waiting {
		r.fail(unavailable(errClosed))
	}
}

// gather asks through send and waits for all answers; it fails where one is
// missing when timeout or ctx is over.
func (t *requests) gather(ctx context.Context, id string, timeout time.Duration, send func(*request) error) ([]any, error) {
	type result struct {
		answers []any
		err     error
	}
	done := make(chan result, 1)
	r := &request{id: id, done: func(answers []any, err error) { done <- result{answers, err} }}
	if err := t.add(r, timeout); err != nil {
		return nil, err
	}
	if err := send(r); err != nil {
		r.fail(err)
	}
	select {
	case got := <-done:
		return got.answers, got.err
	case <-ctx.Done():
		r.fail(ctx.Err())
		return nil, unavailable(ctx.Err())
	}
}

// collect asks through send and calls done once, from whichever goroutine
// learns of the end; done must not block.
func (t *requests) collect(ctx context.Context, id string, timeout time.Duration, send func(*request) error, done func([]any, error)) {
	r := &request{id: id}
	var release func() bool
	ready := make(chan struct{})
	r.done = func(answers []any, err error) {
		<-ready
		release()
		if answers == nil {
			answers = []any{}
		}
		done(answers, err)
	}
	if err := t.add(r, timeout); err != nil {
		done([]any{}, err)
		return
	}
	release = context.AfterFunc(ctx, func() { r.fail(unavailable(ctx.Err())) })
	close(ready)
	if err := send(r); err != nil {
		r.fail(err)
	}
}
