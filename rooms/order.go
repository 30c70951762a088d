package rooms

import (
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
	mu      sync.Mutex
	waiting int // guarded by order.mu; the line is forgotten at zero
}

// enter waits for its turn and returns the function that ends it.
func (o *order) enter(chat models.ChatID, sender models.UserID) (leave func()) {
	key := lineKey{chat, sender}
	o.mu.Lock()
	if o.lines == nil {
		o.lines = map[lineKey]*line{}
	}
	l := o.lines[key]
	if l == nil {
		l = &line{}
		o.lines[key] = l
	}
	l.waiting++
	o.mu.Unlock()

	l.mu.Lock()
	return func() {
		l.mu.Unlock()
		o.mu.Lock()
		defer o.mu.Unlock()
		if l.waiting--; l.waiting == 0 {
			delete(o.lines, key)
		}
	}
}
