package redis

import "sync"

// turn is a mutex that is held over calls to Redis. Those who wait do so on a
// channel: the clock of testing/synctest stands still while anybody waits for a
// sync.Mutex, and the call for which it is held would never end.
type turn struct {
	mu    sync.Mutex
	taken bool
	freed chan struct{} // made by the first who waits, closed for all of them
}

func (t *turn) Lock() {
	for {
		t.mu.Lock()
		if !t.taken {
			t.taken = true
			t.mu.Unlock()
			return
		}
		if t.freed == nil {
			t.freed = make(chan struct{})
		}
		freed := t.freed
		t.mu.Unlock()
		<-freed
	}
}

func (t *turn) Unlock() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken = false
	if t.freed != nil {
		close(t.freed)
		t.freed = nil
	}
}
