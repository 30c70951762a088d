package cluster

import (
	"context"
	"sync"
	"sync/atomic"
)

// outgoing is one command for Redis that waits for its turn.
type outgoing struct {
	channel string // or the key of a stream
	args    []any  // the whole command
	payload string
	request *request // set where answers are expected
	own     bool     // carries our uid, so that its echo can only be ours
	number  uint64   // its place in the order of pushes

	// echoed is set once our own subscription heard it: it was published.
	echoed atomic.Bool
}

func (o *outgoing) size() int { return len(o.channel) + len(o.payload) + 64 }

// moot says that publishing it has no use any more.
func (o *outgoing) moot() bool {
	return o.echoed.Load() || (o.request != nil && o.request.over())
}

// queue keeps commands in order within its bounds; the oldest give way.
type queue struct {
	maxLen, maxBytes int
	drop             func(o *outgoing, reason string)
	wake             chan struct{}

	mu     sync.Mutex
	items  []*outgoing
	head   int
	bytes  int
	closed bool
	pushed uint64        // the number of the last one pushed
	gone   uint64        // up to which number all were published or dropped
	moved  chan struct{} // closed when gone moves; nil while nobody waits
}

func newQueue(maxLen, maxBytes int, drop func(*outgoing, string)) *queue {
	return &queue{maxLen: maxLen, maxBytes: maxBytes, drop: drop, wake: make(chan struct{}, 1)}
}

func (q *queue) push(o *outgoing) {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		q.drop(o, reasonClosed)
		return
	}
	q.pushed++
	o.number = q.pushed
	q.items = append(q.items, o)
	q.bytes += o.size()
	lost := q.trim()
	q.mu.Unlock()
	q.report(lost)
	q.signal()
}

// putBack returns what could not be published to the front.
func (q *queue) putBack(batch []*outgoing) {
	q.mu.Lock()
	q.items = append(append(make([]*outgoing, 0, len(batch)+len(q.items)-q.head), batch...), q.items[q.head:]...)
	q.head = 0
	for _, o := range batch {
		q.bytes += o.size()
	}
	lost := q.trim()
	q.mu.Unlock()
	q.report(lost)
}

// trim drops the oldest until the rest fits.
func (q *queue) trim() (lost []*outgoing) {
	for len(q.items)-q.head > q.maxLen || q.bytes > q.maxBytes {
		lost = append(lost, q.shift())
	}
	return lost
}

func (q *queue) report(lost []*outgoing) {
	for _, o := range lost {
		switch {
		case !o.moot():
			q.drop(o, reasonQueueFull)
		case o.request != nil:
			o.request.untold()
		}
	}
}

func (q *queue) shift() *outgoing {
	o := q.items[q.head]
	q.items[q.head] = nil
	q.head++
	q.bytes -= o.size()
	switch {
	case q.head == len(q.items):
		// A burst must not keep its memory for ever.
		if cap(q.items) > 1024 {
			q.items = nil
		}
		q.items, q.head = q.items[:0], 0
	case q.head > 1024 && q.head*2 > len(q.items):
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	return o
}

// take returns the next commands, at most n and about maxBytes together, at
// least one where there is any.
func (q *queue) take(n, maxBytes int) []*outgoing {
	batch, moot := q.pick(n, maxBytes)
	for _, o := range moot { // not under the lock: somebody may wait to push
		o.request.untold()
	}
	return batch
}

func (q *queue) pick(n, maxBytes int) (batch, moot []*outgoing) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for size := 0; q.head < len(q.items) && len(batch) < n && size < maxBytes; {
		o := q.shift()
		if o.moot() {
			if len(batch) == 0 {
				q.passed(o)
			}
			if o.request != nil {
				moot = append(moot, o)
			}
			continue
		}
		size += o.size()
		batch = append(batch, o)
	}
	return batch, moot
}

// passed is published for one that holds q.mu.
func (q *queue) passed(o *outgoing) {
	q.gone = max(q.gone, o.number)
	if q.moved != nil {
		close(q.moved)
		q.moved = nil
	}
}

// published notes that all up to and including o are out of the way.
func (q *queue) published(o *outgoing) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.passed(o)
}

// flushed returns once all that was pushed before is out of the way.
func (q *queue) flushed(ctx context.Context) error {
	q.mu.Lock()
	target := q.pushed
	q.mu.Unlock()
	for {
		q.mu.Lock()
		if q.gone >= target {
			q.mu.Unlock()
			return nil
		}
		if q.moved == nil {
			q.moved = make(chan struct{})
		}
		moved := q.moved
		q.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// finished says that nothing is left and nothing more will come.
func (q *queue) finished() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed && q.head == len(q.items)
}

// close refuses what comes from now on; what is in can still be taken.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}

// discard empties the queue and reports what was lost.
func (q *queue) discard() {
	q.mu.Lock()
	lost := append([]*outgoing(nil), q.items[q.head:]...)
	q.items, q.head, q.bytes = nil, 0, 0
	q.mu.Unlock()
	q.report(lost)
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
