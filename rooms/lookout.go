package rooms

import (
	"time"

	"parley/models"
)

const (
	// lookoutTurn is how long who was seen online counts as online, and up to
	// twice that: a sender is told so of one who left this moment, at the worst.
	lookoutTurn = time.Second
	maxLookout  = 1 << 16
)

// lookout remembers for moments who is online on other pods. Who is not is never
// remembered: a message that reached them would not be told of. It has one user,
// the goroutine that delivers receipts.
type lookout struct {
	now, before map[models.UserID]struct{}
	since       time.Time
}

// turn forgets who was seen too long ago.
func (l *lookout) turn(at time.Time) {
	age := at.Sub(l.since)
	if age < lookoutTurn && age >= 0 {
		return
	}
	l.before, l.now, l.since = l.now, map[models.UserID]struct{}{}, at
	if age >= 2*lookoutTurn || age < 0 {
		l.before = nil
	}
}

func (l *lookout) saw(u models.UserID) bool {
	if _, ok := l.now[u]; ok {
		return true
	}
	_, ok := l.before[u]
	return ok
}

func (l *lookout) sees(u models.UserID) {
	if len(l.now) < maxLookout {
		l.now[u] = struct{}{}
	}
}
