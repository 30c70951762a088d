package hub

import (
	"sync"
	"time"
)

// While it is looked up what the other pods said before this one heard them
// again, what they say since waits: what one pod sends is told in its order. It
// does not wait longer than detainFor, or behind more than maxDetained; then it
// is told, and what was missed comes late.
const (
	detainFor   = 5 * time.Second
	maxDetained = 2048
)

// detained is what waits, in its order.
type detained struct {
	patience time.Duration
	limit    int

	mu      sync.Mutex
	waiting []func()
	over    chan struct{} // closed when nothing is to wait any more; nil when that is so

	telling sync.Mutex // held by who tells: one after the other
}

// begin lets what comes wait until end, or until patience ends.
func (d *detained) begin(s *Server) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over != nil {
		return
	}
	over := make(chan struct{})
	d.over = over
	s.crew.Run(func() {
		patience := time.NewTimer(d.patience)
		defer patience.Stop()
		select {
		case <-over:
		case <-s.stop:
		case <-patience.C:
			s.opts.Logger.Warn("what other pods say is told before what was missed of them")
			d.end()
		}
	})
}

// takes says whether tell waits; it is called later then.
func (d *detained) takes(tell func()) bool {
	d.mu.Lock()
	if d.over == nil {
		d.mu.Unlock()
		return false
	}
	d.waiting = append(d.waiting, tell)
	full := len(d.waiting) >= d.limit
	d.mu.Unlock()
	if full {
		d.end()
	}
	return true
}

// end tells what has waited, and lets nothing wait any more.
func (d *detained) end() {
	d.telling.Lock()
	defer d.telling.Unlock()
	for {
		d.mu.Lock()
		all := d.waiting
		d.waiting = nil
		if len(all) == 0 {
			if d.over != nil {
				close(d.over)
				d.over = nil
			}
			d.mu.Unlock()
			return
		}
		d.mu.Unlock()
		for _, tell := range all {
			tell()
		}
	}
}
