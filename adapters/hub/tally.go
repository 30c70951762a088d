package hub

import "sync"

// tally adds up what each pod says, and tells the sum once all have.
type tally struct {
	mu   sync.Mutex
	left int
	sum  int
	done func(int)
}

func (t *tally) add(n int) {
	t.mu.Lock()
	t.left--
	t.sum += max(n, 0)
	sum, last := t.sum, t.left == 0
	t.mu.Unlock()
	if last {
		t.done(sum)
	}
}
