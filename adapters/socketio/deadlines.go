package socketio

import (
	"sync"
	"time"
)

// deadlines ends connections that join no namespace in time. All wait equally
// long, so that they stand in order and one timer does for all.
type deadlines struct {
	after   time.Duration
	expired func(*conn)

	mu      sync.Mutex
	queue   []*joining
	timer   *time.Timer
	stopped bool
}

// joining is one that waits; its conn is nil once it does not any more.
type joining struct {
	c     *conn
	until time.Time
}

func (d *deadlines) add(c *conn) *joining {
	d.mu.Lock()
	defer d.mu.Unlock()
	j := &joining{c: c, until: time.Now().Add(d.after)}
	d.queue = append(d.queue, j)
	if len(d.queue) == 1 && !d.stopped {
		d.arm()
	}
	return j
}

// arm needs d.mu and a queue that is not empty.
func (d *deadlines) arm() {
	wait := time.Until(d.queue[0].until)
	if d.timer == nil {
		d.timer = time.AfterFunc(wait, d.expire)
		return
	}
	d.timer.Reset(wait)
}

func (d *deadlines) remove(j *joining) {
	d.mu.Lock()
	defer d.mu.Unlock()
	j.c = nil
	d.drop()
}

// drop lets go of those in front that do not wait any more; it needs d.mu.
func (d *deadlines) drop() {
	n := 0
	for n < len(d.queue) && d.queue[n].c == nil {
		n++
	}
	clear(d.queue[:n])
	if d.queue = d.queue[n:]; len(d.queue) == 0 {
		d.queue = nil
	}
}

func (d *deadlines) expire() {
	var late []*conn
	d.mu.Lock()
	now := time.Now()
	for _, j := range d.queue {
		if j.until.After(now) {
			break
		}
		if j.c != nil {
			late = append(late, j.c)
			j.c = nil
		}
	}
	d.drop()
	if len(d.queue) > 0 && !d.stopped {
		d.arm()
	}
	d.mu.Unlock()
	for _, c := range late {
		d.expired(c)
	}
}

func (d *deadlines) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
	if d.timer != nil {
		d.timer.Stop()
	}
}
