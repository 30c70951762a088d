package redis

import (
	"sync"
	"sync/atomic"
	"time"

	"parley/models"
)

type state int32

const (
	arriving state = iota // never known to be in Redis
	live                  // in Redis as far as we know
	leaving               // to be taken out, as soon as Redis lets us
)

// entry is one socket of this pod. Its lock is held over the Redis call that
// changes the socket, so that an audit cannot put back what a Remove takes out.
type entry struct {
	mu     turn
	user   models.UserID
	socket models.SocketID
	state  atomic.Int32
	gone   bool // not in the registry any more
	// owed: the socket was in its set and nobody has been told that it left.
	owed bool
	// due is when left may be read: Redis has lost its data, and other pods get
	// until then to put their sockets back. Zero: at once.
	due time.Time
	at  time.Time // when it left
	// left is since when its user is gone, should it be the last of theirs; zero
	// where nobody was told that they were there.
	left time.Time
	// missing: an audit found it not in its set, and nobody has been told that it
	// is back.
	missing bool
}

func (e *entry) is(s state) bool { return state(e.state.Load()) == s }
func (e *entry) set(s state)     { e.state.Store(int32(s)) }

// registry is what this pod knows of its own sockets, whatever Redis says.
type registry struct {
	mu      sync.Mutex
	entries map[models.SocketID]*entry
	leaving atomic.Int64
}

func newRegistry() *registry { return &registry{entries: map[models.SocketID]*entry{}} }

// lock returns the socket's entry, made if need be, with its lock held.
func (r *registry) lock(user models.UserID, socket models.SocketID) *entry {
	for {
		r.mu.Lock()
		e := r.entries[socket]
		if e == nil {
			e = &entry{user: user, socket: socket}
			r.entries[socket] = e
		}
		r.mu.Unlock()
		e.mu.Lock()
		if !e.gone {
			return e
		}
		e.mu.Unlock()
	}
}

// drop forgets an entry whose lock is held.
func (r *registry) drop(e *entry) {
	if e.gone {
		return
	}
	e.gone = true
	if e.is(leaving) {
		r.leaving.Add(-1)
	}
	r.mu.Lock()
	delete(r.entries, e.socket)
	r.mu.Unlock()
}

// leave marks an entry whose lock is held; it says false where there is no room.
func (r *registry) leave(e *entry, at time.Time) bool {
	if e.is(leaving) {
		return true
	}
	if r.leaving.Load() >= maxLeaving {
		r.drop(e)
		return false
	}
	r.leaving.Add(1)
	e.at = at
	e.set(leaving)
	return true
}

// arrive marks an entry whose lock is held as being in Redis.
func (r *registry) arrive(e *entry) {
	if e.is(leaving) {
		r.leaving.Add(-1)
	}
	e.owed, e.due, e.left, e.missing = false, time.Time{}, time.Time{}, false
	e.set(live)
}

func (r *registry) knows(socket models.SocketID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.entries[socket]
	return ok
}

// list returns the entries that were in any of the states a moment ago.
func (r *registry) list(states ...state) []*entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*entry
	for _, e := range r.entries {
		for _, s := range states {
			if e.is(s) {
				all = append(all, e)
				break
			}
		}
	}
	return all
}

// lockBatch takes the locks of the entries for which keep holds. Only one
// goroutine may hold several at a time: the upkeep, or Close after it.
func lockBatch(batch []*entry, keep func(*entry) bool) []*entry {
	var held []*entry
	for _, e := range batch {
		e.mu.Lock()
		if !e.gone && keep(e) {
			held = append(held, e)
			continue
		}
		e.mu.Unlock()
	}
	return held
}

func unlock(held []*entry) {
	for _, e := range held {
		e.mu.Unlock()
	}
}
