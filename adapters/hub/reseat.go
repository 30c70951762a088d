package hub

import (
	"context"
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
	s.reseating.Lock()
	defer s.reseating.Unlock()
	x := s.index
	members := x.watchMoves(users)
	chats, err := look()
	var seats []models.Seat
	x.mu.Lock()
	now := s.opts.Now()
	for _, m := range members {
		moved := m.moved
		m.moved = nil
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
		for m := range r.members {
			switch {
			case m.user != u: // put into that room from afar
			case m.entered:
				m.moved = map[string]struct{}{}
				members = append(members, m)
			default:
				m.stale = true
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
		_, in := m.rooms[name]
		if _, meanwhile := moved[name]; in || meanwhile {
			continue
		}
		x.join(m, name, now)
		if m.seated == nil {
			m.seated = map[string]map[models.MessageID]struct{}{}
		}
		m.seated[name] = map[models.MessageID]struct{}{}
		seat.ChatID, seat.Taken = id, true
		seats = append(seats, seat)
	}
	for name := range m.rooms {
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

func (m *member) noteMove(name string) {
	if m.moved != nil {
		m.moved[name] = struct{}{}
	}
}

// Retell sends a message to this pod's sockets in the chat's room. Where it was
// sent already, those alone get it whom Reseat has put there since.
func (s *Server) Retell(message models.Message) {
	p, _ := s.eventPacket(models.NewMessage{Message: message})
	f := s.frame(p, nil, false)
	x, id := s.index, message.ID
	x.mu.Lock()
	now := s.opts.Now()
	f.identify(id, now, s.opts.Recovery)
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
	for m := range r.members {
		told, seated := m.seated[string(message.ChatID)]
		if known && (!seated || !m.rooms[string(message.ChatID)].After(sent)) {
			continue // it was there, or was not to hear it
		}
		if _, again := told[id]; again {
			continue
		}
		if _, has := m.has[id]; has || message.CreatedAt.Before(m.hasSince) {
			continue // its client had it on another connection
		}
		if seated {
			told[id] = struct{}{}
		}
		if known && len(m.retold) < maxSeen {
			m.retold = append(m.retold, sentAt{id: id, at: now})
		}
		to = append(to, m)
	}
	flush, n := queue(f, to, now)
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
		m.seated = nil
	}
}
