package engineio

import (
	"sync"
	"time"
)

// timetable rings for many sessions with one timer: all that wait for the same
// thing wait equally long, so that each list is in order by itself.
type timetable struct {
	now  func() time.Duration
	wake chan struct{}

	mu    sync.Mutex
	lists []*alarms
}

// alarms are those of one kind, the next to ring first.
type alarms struct {
	wait        time.Duration
	ring        func(*alarm)
	first, last *alarm
}

// alarm is part of what it rings for; on is nil while it is off.
type alarm struct {
	session    *Session
	on         *alarms
	prev, next *alarm
	due        time.Duration
}

func newTimetable(now func() time.Duration) *timetable {
	return &timetable{now: now, wake: make(chan struct{}, 1)}
}

func (t *timetable) list(wait time.Duration, ring func(*alarm)) *alarms {
	l := &alarms{wait: wait, ring: ring}
	t.lists = append(t.lists, l)
	return l
}

// set makes a ring in l.wait, whatever it was set to before.
func (t *timetable) set(a *alarm, l *alarms) {
	t.mu.Lock()
	t.off(a)
	a.on, a.due, a.prev = l, t.now()+l.wait, l.last
	first := l.first == nil
	if first {
		l.first = a
	} else {
		l.last.next = a
	}
	l.last = a
	t.mu.Unlock()
	if first {
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
}

func (t *timetable) cancel(a *alarm) {
	t.mu.Lock()
	t.off(a)
	t.mu.Unlock()
}

// isSet is for who was rung: the alarm may have been set anew meanwhile.
func (t *timetable) isSet(a *alarm) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return a.on != nil
}

// off needs t.mu.
func (t *timetable) off(a *alarm) {
	l := a.on
	if l == nil {
		return
	}
	if a.prev == nil {
		l.first = a.next
	} else {
		a.prev.next = a.next
	}
	if a.next == nil {
		l.last = a.prev
	} else {
		a.next.prev = a.prev
	}
	a.on, a.prev, a.next = nil, nil, nil
}

// run rings until quit is closed.
func (t *timetable) run(quit <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-quit:
			return
		case <-t.wake:
		case <-timer.C:
		}
		for {
			a, ring, wait := t.next()
			if a == nil {
				timer.Reset(wait)
				break
			}
			ring(a)
		}
	}
}

// next takes an alarm that is due off its list, or says how long none will be.
func (t *timetable) next() (*alarm, func(*alarm), time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, wait := t.now(), time.Hour
	for _, l := range t.lists {
		a := l.first
		if a == nil {
			continue
		}
		if a.due <= now {
			t.off(a)
			return a, l.ring, 0
		}
		wait = min(wait, a.due-now)
	}
	return nil, nil, wait
}
