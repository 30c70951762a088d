package hub

import (
	"context"

	"parley/adapters/socketio"
	"parley/models"
)

// Emit sends the event to the audience on every pod. It waits for nobody.
func (s *Server) Emit(who models.Audience, ev models.Event) {
	to, anybody := audienceFor(who)
	if !anybody {
		return
	}
	p, volatile := s.event(ev)
	s.send(p, to, volatile, onlyFor(who), func() {
		s.opts.Bus.Broadcast(wirePacket(p), wireOptions(to, socketio.Flags{Volatile: volatile}))
	})
}

// EmitLocal sends the event to this pod's sockets of the audience alone.
func (s *Server) EmitLocal(who models.Audience, ev models.Event) {
	to, anybody := audienceFor(who)
	if !anybody {
		return
	}
	p, volatile := s.event(ev)
	s.send(p, to, volatile, onlyFor(who), nil)
}

// Sure says whether no join and no leave can have gone unheard that is not made
// good yet.
func (s *Server) Sure() bool { return s.opts.Bus.Ready() == nil && !s.resumption.busy() }

// Handed returns once what was emitted before is on its way to the other pods; an
// error says that it follows when Redis is back.
func (s *Server) Handed(ctx context.Context) error { return s.opts.Bus.Flush(ctx) }

// CaughtUp returns once all that the other pods had published when it was called
// is given to this pod's sockets, with nothing missing.
func (s *Server) CaughtUp(ctx context.Context) error {
	if err := s.standing(ctx); err != nil {
		return err
	}
	breaks := s.resumption.asked.Load()
	if err := s.opts.Bus.CatchUp(ctx); err != nil {
		return err
	}
	if s.resumption.asked.Load() != breaks {
		return models.Unavailable("the other pods", errCatchingUp)
	}
	return nil
}

// Pods counts the pods that listen, Node's too.
func (s *Server) Pods(ctx context.Context) (int, error) { return s.opts.Bus.Pods(ctx) }

// Join puts the audience's sockets into the chat's room and returns when every
// pod has done so.
func (s *Server) Join(ctx context.Context, who models.Audience, chat models.ChatID) error {
	to, anybody := audienceFor(who)
	if !anybody {
		return nil
	}
	rooms := []string{string(chat)}
	s.joinLocal(to, rooms)
	if err := s.opts.Bus.Ready(); err != nil { // they would hear of it late, when it is so no more
		return models.Unavailable("the other pods", err)
	}
	s.opts.Bus.Join(wireOptions(to, socketio.Flags{}), rooms)
	return s.settled(ctx)
}

// Leave takes the audience's sockets out of the chat's room and returns when
// every pod has done so.
func (s *Server) Leave(ctx context.Context, who models.Audience, chat models.ChatID) error {
	to, anybody := audienceFor(who)
	if !anybody {
		return nil
	}
	rooms := []string{string(chat)}
	s.leaveLocal(to, rooms)
	if err := s.opts.Bus.Ready(); err != nil { // they would hear of it late, when it is so no more
		return models.Unavailable("the other pods", err)
	}
	s.opts.Bus.Leave(wireOptions(to, socketio.Flags{}), rooms)
	return s.settled(ctx)
}

// settled returns once every pod has done what was asked before, and this one
// hears of the rooms it was put into.
func (s *Server) settled(ctx context.Context) error {
	err := s.opts.Bus.Settled(ctx)
	if err == nil && s.index.watcher != nil {
		err = s.index.watcher.RoomsHeard(ctx)
	}
	if err != nil {
		return models.Unavailable("the other pods", err)
	}
	return nil
}

// InRoom says whether a socket of this pod is in the chat's room.
func (s *Server) InRoom(socket models.SocketID, chat models.ChatID) bool {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	m := s.index.members[string(socket)]
	if m == nil {
		return false
	}
	return m.seatIn(s.index.rooms[string(chat)]) >= 0
}

// onlyFor are those who are told; nil for all.
func onlyFor(who models.Audience) map[models.UserID]bool {
	if who.Only == nil {
		return nil
	}
	only := make(map[models.UserID]bool, len(who.Only))
	for _, u := range who.Only {
		only[u] = true
	}
	return only
}

// audienceFor is an audience in rooms. There no rooms mean everybody, so an
// audience of nobody must never get that far.
func audienceFor(who models.Audience) (to socketio.Audience, anybody bool) {
	n := len(who.Chats) + len(who.Users) + len(who.Sockets)
	if n == 0 {
		return socketio.Audience{}, false
	}
	to.Rooms = make([]string, 0, n)
	for _, c := range who.Chats {
		to.Rooms = append(to.Rooms, string(c))
	}
	for _, u := range who.Users {
		to.Rooms = append(to.Rooms, userRoom(u))
	}
	for _, id := range who.Sockets {
		to.Rooms = append(to.Rooms, string(id))
	}
	to.Except = make([]string, 0, len(who.ExceptUsers)+len(who.ExceptSockets))
	for _, u := range who.ExceptUsers {
		to.Except = append(to.Except, userRoom(u))
	}
	for _, id := range who.ExceptSockets {
		to.Except = append(to.Except, string(id))
	}
	return to, true
}
