package engineio

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// registry knows the sessions by id.
type registry struct {
	mu       sync.RWMutex
	sessions map[string]*Session
	closed   bool
	empty    chan struct{} // closed once it is closed and empty, where somebody waits
}

// add gives s an id of its own. It returns false once the registry is closed.
func (r *registry) add(s *Session, newID func() string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	for {
		s.id = newID()
		if _, taken := r.sessions[s.id]; !taken && s.id != "" {
			r.sessions[s.id] = s
			return true
		}
	}
}

func (r *registry) remove(id string) {
	r.mu.Lock()
	delete(r.sessions, id)
	if r.empty != nil && len(r.sessions) == 0 {
		close(r.empty)
		r.empty = nil
	}
	r.mu.Unlock()
}

// wait waits until nobody is left of a closed registry.
func (r *registry) wait(ctx context.Context) error {
	r.mu.Lock()
	if len(r.sessions) == 0 {
		r.mu.Unlock()
		return nil
	}
	if r.empty == nil {
		r.empty = make(chan struct{})
	}
	empty := r.empty
	r.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *registry) find(id string) *Session {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.sessions[id]
}

func (r *registry) size() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.sessions)
}

// close lets nobody in any more.
func (r *registry) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
}

func (r *registry) isClosed() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.closed
}

func (r *registry) all() []*Session {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Collect(maps.Values(r.sessions))
}
