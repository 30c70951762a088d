package hub

import (
	"container/list"
	"context"
	"sync"
)

// places is how many sockets are let in side by side. The others wait in the
// order in which they came: a thousand clients at once would otherwise all have
// the database at work for them, and none of them in time.
type places struct {
	mu    sync.Mutex
	free  int        // below zero where somebody took one that was not there
	back  *list.List // of chan struct{}: those who had one and go on
	queue *list.List // of chan struct{}: those who have not begun
}

func newPlaces(n int) *places {
	return &places{free: n, back: list.New(), queue: list.New()}
}

// take waits for a place, before all who have not begun where going on.
func (p *places) take(ctx context.Context, goingOn bool) error {
	p.mu.Lock()
	if err := ctx.Err(); err != nil {
		p.mu.Unlock()
		return err
	}
	if p.free > 0 { // nobody waits then
		p.free--
		p.mu.Unlock()
		return nil
	}
	line := p.queue
	if goingOn {
		line = p.back
	}
	turn := make(chan struct{})
	at := line.PushBack(turn)
	p.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	select {
	case <-turn: // both at once: it is for the next
		p.giveLocked()
	default:
		line.Remove(at)
	}
	p.mu.Unlock()
	return ctx.Err()
}

// waiting is how many wait for a place.
func (p *places) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.back.Len() + p.queue.Len()
}

// force takes a place, there or not.
func (p *places) force() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free--
}

func (p *places) give() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.giveLocked()
}

func (p *places) giveLocked() {
	if p.free >= 0 {
		for _, line := range []*list.List{p.back, p.queue} {
			if first := line.Front(); first != nil {
				line.Remove(first)
				close(first.Value.(chan struct{})) //nolint:forcetypeassert // nothing else is put in
				return
			}
		}
	}
	p.free++
}
