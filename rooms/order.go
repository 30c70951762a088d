package rooms

import (
	"context"
	"sync"

	"parley/models"
)

// order lets one sender's messages to one chat through one after the other, so
// that they are published in the order they were stored. Different senders and
// different chats do not wait for each other.
type order struct {
	mu    sync.Mutex
	lines map[lineKey]*line
}

type lineKey struct {
	chat   models.ChatID
	sender models.UserID
}

type line struct {
	turn    chan struct{} // holds one while it is somebody's turn
	waiting int           // guarded by order.mu; the line is forgotten at zero
}

// enter waits for its turn and returns the function that ends it; an error is
// that ctx ended before.
func (o *order) enter(ctx context.Context, chat models.ChatID, sender models.UserID) (leave func(), err error) {
	key := lineKey{chat, sender}
	o.mu.Lock()
	if o.lines == nil {
		o.lines = map[lineKey]*line{}
	}
	l := o.lines[key]
	if l == nil {
		l = &line{turn: make(chan struct{}, 1)}
		o.lines[key] = l
	}
	l.waiting++
	o.mu.Unlock()

	goes := func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if l.waiting--; l.waiting == 0 {
			delete(o.lines, key)
		}
	}
	if err := ctx.Err(); err != nil {
		goes()
		return nil, err
	}
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		goes()
		return nil, ctx.Err()
	}
	return func() {
		<-l.turn
		goes()
	}, nil
}
