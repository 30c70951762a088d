package socketio

import (
	"context"

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

// Reseat puts the users' sockets on this pod into the rooms of the chats that
// look returns for each, and out of those of all others. What look knows may be
// old when it returns: a room that a socket joined or left meanwhile is let be.
func (s *Server) Reseat(ctx context.Context, users []models.UserID, look func() (map[models.UserID][]models.ChatID, error)) ([]models.Seat, error) {
	s.reseating.Lock()
	defer s.reseating.Unlock()
	members := s.index.watchMoves(users)
	chats, err := look()
	seats := s.index.reseat(members, chats, err == nil, s)
	if err != nil {
		return nil, err
	}
	if s.index.watcher != nil {
		if err := s.index.watcher.RoomsHeard(ctx); err != nil {
			return seats, models.Unavailable("the other pods", err)
		}
	}
	return seats, nil
}

// watchMoves begins to note which rooms the users' sockets join and leave.
func (x *index) watchMoves(users []models.UserID) (members []*member) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, u := range users {
		r := x.rooms[userRoom(u)]
		if r == nil {
			continue
		}
		for m := range r.members {
			if m.user == u { // others may have been put into that room from afar
				m.moved = map[string]struct{}{}
				members = append(members, m)
			}
		}
	}
	return members
}

// reseat ends that, and moves the members where known says that chats are to
// be trusted.
func (x *index) reseat(members []*member, chats map[models.UserID][]models.ChatID, known bool, s *Server) (seats []models.Seat) {
	now := s.opts.Now()
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, m := range members {
		moved := m.moved
		m.moved = nil
		if !known || m.phase == gone {
			continue
		}
		want := make(map[string]struct{}, len(chats[m.user]))
		var to []models.Seat
		for _, id := range chats[m.user] {
			name := string(id)
			want[name] = struct{}{}
			_, in := m.rooms[name]
			if _, meanwhile := moved[name]; !in && !meanwhile {
				x.join(m, name, now)
				to = append(to, models.Seat{UserID: m.user, SocketID: models.SocketID(m.id), ChatID: id, Taken: true})
			}
		}
		for name := range m.rooms {
			id, isChat := models.ParseChatID(name)
			_, in := want[name]
			if _, meanwhile := moved[name]; isChat && string(id) == name && !in && !meanwhile {
				x.leave(m, name)
				to = append(to, models.Seat{UserID: m.user, SocketID: models.SocketID(m.id), ChatID: id})
			}
		}
		if m.phase == atDoor {
			m.seated = true // and nobody was told yet where it sits
			continue
		}
		seats = append(seats, to...)
	}
	return seats
}

func (m *member) noteMove(name string) {
	if m.moved != nil {
		m.moved[name] = struct{}{}
	}
}
