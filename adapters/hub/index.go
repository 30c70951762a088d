package hub

import (
	"slices"
	"sync"
	"time"

	"parley/adapters/cluster"
	"parley/adapters/socketio"
	"parley/models"
)

// index is who is in which room on this pod. One mutex guards all of it, so
// that a last leave and a first join never lose each other.
type index struct {
	mu      sync.Mutex
	members map[string]*member
	rooms   map[string]*room
	// sessions is who holds which: one, but for the moment in which a client
	// returns before its last socket is known to be dead.
	sessions map[models.SessionID][]*member
	// watcher is a bus that listens to each room by itself; nil where it does
	// not. It is told under mu, so that it never hears of a closing after the
	// opening that followed it.
	watcher cluster.RoomWatcher
	ticked  time.Time
}

// tick is now, or right after the last tick: no two are the same, however coarse
// the clock. It needs x.mu.
func (x *index) tick(now time.Time) time.Time {
	if !now.After(x.ticked) {
		now = x.ticked.Add(time.Nanosecond)
	}
	x.ticked = now
	return now
}

func newIndex() *index {
	return &index{members: map[string]*member{}, rooms: map[string]*room{}, sessions: map[models.SessionID][]*member{}}
}

func (x *index) find(id string) *member {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.members[id]
}

func (x *index) size() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.members)
}

func (x *index) add(m *member, now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.members[m.id] = m
	x.join(m, m.id, now)
}

// remove takes the member out for good and returns what it was in; ok is false
// for everybody but the first who asks.
func (x *index) remove(m *member) (was phase, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.removeLocked(m)
}

func (x *index) removeLocked(m *member) (was phase, ok bool) {
	if m.phase == gone {
		return gone, false
	}
	was = m.phase
	m.phase = gone
	delete(x.members, m.id)
	x.release(m)
	for _, s := range m.seats {
		x.vacate(s)
	}
	m.seats = nil
	return was, true
}

// stepBack makes a member at the door as it was when it came: for the next try
// to let it in, chats are looked up and what was missed is read anew.
func (x *index) stepBack(m *member) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if m.phase != atDoor {
		return
	}
	x.release(m)
	m.resume, m.user = "", ""
	m.seats = slices.DeleteFunc(m.seats, func(s seat) bool {
		if s.room.name == m.id {
			return false
		}
		x.vacate(s)
		return true
	})
	m.seating, m.history = seating{}, history{}
	m.gate.held, m.gate.bytes = nil, 0
}

// pick appends the members of the audience to picked, each once; it needs x.mu.
func (x *index) pick(to socketio.Audience, picked []*member) []*member {
	var out map[*member]struct{}
	for _, name := range to.Except {
		if r := x.rooms[name]; r != nil {
			if out == nil {
				out = make(map[*member]struct{}, len(r.members))
			}
			for _, m := range r.members {
				out[m] = struct{}{}
			}
		}
	}
	if len(to.Rooms) == 0 {
		for _, m := range x.members {
			if _, no := out[m]; !no {
				picked = append(picked, m)
			}
		}
		return picked
	}
	several := len(to.Rooms) > 1
	for _, name := range to.Rooms {
		r := x.rooms[name]
		if r == nil {
			continue
		}
		for _, m := range r.members {
			if _, no := out[m]; no {
				continue
			}
			if several {
				if out == nil {
					out = map[*member]struct{}{}
				}
				out[m] = struct{}{} // once is enough
			}
			picked = append(picked, m)
		}
	}
	return picked
}

// reaches is false where the audience is nobody here.
func (x *index) reaches(to socketio.Audience) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(to.Rooms) == 0 {
		return len(x.members) > 0
	}
	for _, name := range to.Rooms {
		if x.rooms[name] != nil {
			return true
		}
	}
	return false
}

// repeated says whether the message went to all of the rooms already, and notes
// that it goes there now; it needs x.mu.
func (x *index) repeated(rooms []string, id models.MessageID, now, horizon time.Time) bool {
	known, fresh := false, false
	for _, name := range rooms {
		r := x.rooms[name]
		if r == nil {
			continue
		}
		r.recent.expire(horizon)
		if r.recent.has(id) {
			known = true
			continue
		}
		fresh = true
		r.recent.add(id, now)
	}
	return known && !fresh
}

func (x *index) has(name string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.rooms[name] != nil
}

// roomNames returns every room there is.
func (x *index) roomNames() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	names := make([]string, 0, len(x.rooms))
	for name := range x.rooms {
		names = append(names, name)
	}
	return names
}
