package hub

import (
	"context"
	"slices"
	"time"

	"parley/models"
)

// Users are those who have sockets on this pod.
func (s *Server) Users() []models.UserID {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	seen := map[models.UserID]struct{}{}
	var users []models.UserID
	for _, m := range s.index.members {
		if _, ok := seen[m.user]; ok || m.user == "" {
			continue
		}
		seen[m.user] = struct{}{}
		users = append(users, m.user)
	}
	return users
}

// Chats are those that sockets on this pod are in.
func (s *Server) Chats() []models.ChatID {
	var chats []models.ChatID
	for _, name := range s.index.roomNames() {
		if id, ok := chatOf(name); ok {
			chats = append(chats, id)
		}
	}
	return chats
}

// chatOf tells a chat's room from others.
func chatOf(room string) (id models.ChatID, ok bool) {
	id, ok = models.ParseChatID(room)
	return id, ok && string(id) == room
}

// Reseat puts the users' sockets on this pod into the rooms of the chats that
// look returns for each, and out of those of all others. What look knows may be
// old when it returns: a room that a socket joined or left meanwhile is let be.
func (s *Server) Reseat(ctx context.Context, users []models.UserID, look func() (map[models.UserID][]models.ChatID, error)) ([]models.Seat, error) {
	s.reseating <- struct{}{}
	defer func() { <-s.reseating }()
	x := s.index
	members := x.watchMoves(users)
	chats, err := look()
	var seats []models.Seat
	x.mu.Lock()
	now := s.opts.Now()
	for _, m := range members {
		moved := m.seating.moved
		m.seating.moved = nil
		if moved == nil { // it stepped back meanwhile, and looks its chats up anew
			continue
		}
		if err == nil && m.phase != gone {
			seats = append(seats, x.reseat(m, chats[m.user], moved, now)...)
		}
	}
	x.mu.Unlock()
	if err == nil && x.watcher != nil {
		if err = x.watcher.RoomsHeard(ctx); err != nil {
			err = models.Unavailable("the other pods", err)
		}
	}
	return seats, err
}

// watchMoves begins to note which rooms the users' sockets join and leave. One
// that has not entered yet looks its chats up again instead.
func (x *index) watchMoves(users []models.UserID) (members []*member) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, u := range users {
		r := x.rooms[userRoom(u)]
		if r == nil {
			continue
		}
		for _, m := range r.members {
			switch {
			case m.user != u: // put into that room from afar
			case m.seating.entered:
				m.seating.moved = map[string]struct{}{}
				members = append(members, m)
			default:
				m.seating.stale = true
			}
		}
	}
	return members
}

// reseat moves one member, but for rooms in moved; it needs x.mu.
func (x *index) reseat(m *member, chats []models.ChatID, moved map[string]struct{}, now time.Time) (seats []models.Seat) {
	want := make(map[string]struct{}, len(chats))
	seat := models.Seat{UserID: m.user, SocketID: models.SocketID(m.id)}
	for _, id := range chats {
		name := string(id)
		want[name] = struct{}{}
		if _, meanwhile := moved[name]; meanwhile || m.seatIn(x.rooms[name]) >= 0 {
			continue
		}
		x.join(m, name, now)
		m.seating.take(name)
		seat.ChatID, seat.Taken = id, true
		seats = append(seats, seat)
	}
	for _, name := range m.roomNames() {
		id, isChat := chatOf(name)
		_, in := want[name]
		if _, meanwhile := moved[name]; !isChat || in || meanwhile {
			continue
		}
		x.leave(m, name)
		seat.ChatID, seat.Taken = id, false
		seats = append(seats, seat)
	}
	return seats
}

// seating is what a member's own joins and leaves have to know of those that
// the database says it missed.
type seating struct {
	// left are the rooms it was told to leave since it was identified and before
	// its gate was open.
	left map[string]struct{}
	// entered is set by Enter; stale by Reseat for one that may have looked its
	// chats up while joins and leaves were not heard.
	entered, stale bool
	// moved are the rooms it joined or left while Reseat looks; nil otherwise.
	moved map[string]struct{}
	// seated are the chats Reseat has put it into, each with what was retold to it
	// there since; nil again once that is over.
	seated map[string]map[models.MessageID]struct{}
}

func (s *seating) joins(name string) {
	delete(s.left, name)
	if s.moved != nil {
		s.moved[name] = struct{}{}
	}
}

func (s *seating) leaves(name string, early bool) {
	if s.moved != nil {
		s.moved[name] = struct{}{}
	}
	if early {
		if s.left == nil {
			s.left = map[string]struct{}{}
		}
		s.left[name] = struct{}{}
	}
	delete(s.seated, name)
}

func (s *seating) take(name string) {
	if s.seated == nil {
		s.seated = map[string]map[models.MessageID]struct{}{}
	}
	s.seated[name] = map[models.MessageID]struct{}{}
}

// Retell sends a message to this pod's sockets in the chat's room. Where it was
// sent already, those alone get it whom Reseat has put there since. Who came there
// after asOf has had it on the way in, or was not to have it; nor are the users
// except.
func (s *Server) Retell(message models.Message, asOf time.Time, except []models.UserID) {
	p, _ := s.event(models.NewMessage{Message: message})
	msg, ok := s.encode(p, false)
	if !ok || msg.sent == nil {
		return
	}
	msg.rooms = []string{string(message.ChatID)}
	x, id := s.index, message.ID
	x.mu.Lock()
	now := x.tick(s.opts.Now())
	msg.sent.at = now
	r := x.rooms[string(message.ChatID)]
	if r == nil {
		x.mu.Unlock()
		return
	}
	r.recent.expire(s.horizon(now))
	sent, known := r.recent.when(id)
	if !known {
		r.recent.add(id, now)
	}
	var to []*member
	for _, m := range r.members {
		if m.since(r).After(asOf) || r.joinedAfter(m, message.CreatedAt) || slices.Contains(except, m.user) {
			continue
		}
		told, seated := m.seating.seated[string(message.ChatID)]
		if known && (!seated || !m.since(r).After(sent)) {
			continue // it was there, or was not to hear it
		}
		if _, again := told[id]; again {
			continue
		}
		if m.history.brings(message) {
			continue // on another connection
		}
		if seated {
			told[id] = struct{}{}
		}
		if known {
			m.history.sets(sentAt{id: id, at: now})
		}
		to = append(to, m)
	}
	flush, n := queue(&msg, to)
	x.mu.Unlock()
	if known {
		s.opts.Metrics.Duplicate()
	}
	s.flush(flush, n)
}

// forgetSeated ends what Reseat began: nothing is retold any more.
func (x *index) forgetSeated() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, m := range x.members {
		m.seating.seated = nil
	}
}
