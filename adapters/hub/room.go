package hub

import (
	"slices"
	"time"
)

// room has its members in a row, so that a broadcast walks through memory in
// order; a member knows where it stands.
type room struct {
	name    string
	members []*member
	recent  recent
	// joined are those who were let in lately, with until when what was said is none
	// of their business: it may come late.
	joined map[*member]time.Time
}

// clocksApart is how far the pods' clocks may be apart: what is said right after
// somebody was let in must reach them. That takes the chat's change longer from the
// request to the room.
const clocksApart = 3 * time.Millisecond

// concerns leaves out who was let in after the message was made; it needs index.mu.
func (r *room) concerns(members []*member, made func() time.Time) []*member {
	if r == nil || len(r.joined) == 0 {
		return members
	}
	at := made()
	return slices.DeleteFunc(members, func(m *member) bool { return r.joinedAfter(m, at) })
}

func (r *room) joinedAfter(m *member, made time.Time) bool {
	since, lately := r.joined[m]
	return lately && !made.IsZero() && made.Before(since)
}

// seat is a member's place in a room.
type seat struct {
	room  *room
	at    int
	since time.Time
}

// sent is what went to the room since it was taken; of a long time all since from,
// else from is zero. It needs index.mu.
func (s seat) sent() (all []sentAt, from time.Time) {
	r := &s.room.recent
	if all = r.from(s.since); len(all) > 0 && !r.dropped.Before(s.since) {
		from = all[0].at
	}
	return all, from
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// seatIn is which of its seats that in the room is, or -1. It looks where there is
// less to look at: a user may have many chats, and a chat many users. It needs
// index.mu.
func (m *member) seatIn(r *room) int {
	if r == nil || len(r.members) < len(m.seats) && !slices.Contains(r.members, m) {
		return -1
	}
	return slices.IndexFunc(m.seats, func(s seat) bool { return s.room == r })
}

// since is when it entered the room; zero where it is not in. It needs index.mu.
func (m *member) since(r *room) time.Time {
	if i := m.seatIn(r); i >= 0 {
		return m.seats[i].since
	}
	return time.Time{}
}

// roomNames needs index.mu.
func (m *member) roomNames() []string {
	names := make([]string, len(m.seats))
	for i, s := range m.seats {
		names[i] = s.room.name
	}
	return names
}

// join and leave need x.mu.
func (x *index) join(m *member, name string, now time.Time) {
	m.seating.joins(name)
	r := x.rooms[name]
	if m.seatIn(r) >= 0 {
		return
	}
	if r == nil {
		r = &room{name: name}
		x.rooms[name] = r
		if x.watcher != nil {
			x.watcher.RoomOpened(name)
		}
	}
	m.seats = append(m.seats, seat{room: r, at: len(r.members), since: x.tick(now)})
	r.members = append(r.members, m)
}

// letIn is join for one whom somebody adds: what was said before is not for it.
func (x *index) letIn(m *member, name string, now time.Time) {
	was := m.seatIn(x.rooms[name]) >= 0
	x.join(m, name, now)
	if was {
		return
	}
	r := x.rooms[name]
	if r.joined == nil {
		r.joined = map[*member]time.Time{}
	}
	r.joined[m] = now.Add(-clocksApart)
}

func (x *index) leave(m *member, name string) {
	m.seating.leaves(name, m.gate != nil && m.user != "")
	if i := m.seatIn(x.rooms[name]); i >= 0 {
		m.hearsOut(name)
		if m.gate == nil || m.phase == live { // else it was not sent anything there yet
			sent, from := m.seats[i].sent()
			m.history.from = later(m.history.from, from)
			m.history.sets(sent...)
		}
		x.vacate(m.seats[i])
		m.seats = slices.Delete(m.seats, i, i+1)
	}
}

// vacate gives the place to the last in the row.
func (x *index) vacate(s seat) {
	r, last := s.room, len(s.room.members)-1
	delete(r.joined, r.members[s.at])
	moved := r.members[last]
	r.members[s.at], r.members[last] = moved, nil
	r.members = r.members[:last]
	if s.at < last {
		moved.seats[slices.IndexFunc(moved.seats, func(t seat) bool { return t.room == r })].at = s.at
	}
	if last == 0 {
		delete(x.rooms, r.name)
		if x.watcher != nil {
			x.watcher.RoomClosed(r.name)
		}
	}
}
