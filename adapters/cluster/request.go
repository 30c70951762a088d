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
	// errUntold: the question was published, but the connection broke before
	// Redis said to whom.
	errUntold = errors.New("the connection to Redis broke while asking")
)

// unavailable is how this package fails: what was asked can be asked again.
func unavailable(err error) error { return models.Unavailable("cluster", err) }

// request is one question to the other pods. It is over when every pod that
// listened as it was published has answered, or when it has failed.
type request struct {
	id string
	// repeatable can be asked again where it is not known who was asked.
	repeatable bool

	mu       sync.Mutex
	expected int // -1 until the question was published
	// byName expects an answer of each pod there is, by its uid. A number is not
	// enough where others can answer than those that were counted.
	byName   bool
	names    map[string]struct{} // of those who must answer, where byName
	answered map[string]struct{} // the uids of those who have
	answers  []any
	ended    bool
	timer    *time.Timer
	done     func(answers []any, err error)
	table    *requests

	// For a broadcast with acknowledgements, which has no end but its timeout.
	clients func(n int)
	ack     func(args []any)
}

// untold ends a question that was published, as its echo tells, by a connection
// that broke before it could tell how many answers to expect.
func (r *request) untold() {
	if r.repeatable {
		r.fail(unavailable(errUntold))
	}
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

// roll asks for names instead of a number; before it is published.
func (r *request) roll() {
	r.mu.Lock()
	r.byName = true
	r.mu.Unlock()
}

func (r *request) wantsNames() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byName
}

// expectOf says who has to answer.
func (r *request) expectOf(uids map[string]struct{}) {
	r.mu.Lock()
	r.names = uids
	r.expected = len(uids)
	r.finish(nil)
}

// answer adds the answer of the pod uid, the first one alone: a pod that was cut
// off while it answered does so again. The classic protocol names nobody.
func (r *request) answer(uid string, a any) {
	r.mu.Lock()
	_, again := r.answered[uid]
	if !r.ended && !again {
		r.answers = append(r.answers, a)
		if uid != "" {
			if r.answered == nil {
				r.answered = map[string]struct{}{}
			}
			r.answered[uid] = struct{}{}
		}
	}
	r.finish(nil)
}

// complete says whether all have answered; r.mu is held.
func (r *request) complete() bool {
	if r.done == nil || r.expected < 0 {
		return false
	}
	if !r.byName {
		return len(r.answers) >= r.expected
	}
	for uid := range r.names {
		if _, ok := r.answered[uid]; !ok {
			return false
		}
	}
	return true
}

// fail ends it with the answers so far.
func (r *request) fail(err error) {
	r.mu.Lock()
	r.finish(err)
}

// finish unlocks r, and calls done once where r has come to its end.
func (r *request) finish(err error) {
	if r.ended || (err == nil && !r.complete()) {
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
// missing when timeout or ctx is over. It may ask again, so that what is asked
// must change nothing; newID names each attempt.
func (t *requests) gather(ctx context.Context, newID func() string, timeout time.Duration, send func(*request) error) ([]any, error) {
	deadline := time.Now().Add(timeout)
	for {
		answers, err := t.attempt(ctx, &request{id: newID(), repeatable: true}, time.Until(deadline), send)
		if !errors.Is(err, errUntold) || time.Now().After(deadline) {
			return answers, err
		}
	}
}

func (t *requests) attempt(ctx context.Context, r *request, timeout time.Duration, send func(*request) error) ([]any, error) {
	type result struct {
		answers []any
		err     error
	}
	done := make(chan result, 1)
	r.done = func(answers []any, err error) { done <- result{answers, err} }
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
