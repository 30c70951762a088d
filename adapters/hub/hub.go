package hub

import (
	"context"

	"parley/adapters/cluster"
	"parley/models"
)

// Emit sends the event to the audience on every pod. It waits for nobody.
func (s *Server) Emit(to models.Audience, ev models.Event) {
	sel, anybody := selectionFor(to)
	if !anybody {
		return
	}
	p, volatile := s.event(ev)
	s.send(p, sel, volatile, func() {
		s.opts.Bus.Broadcast(cluster.Packet{Type: int(p.Type), Data: p.Data, Nsp: "/"}, cluster.Options{
			Rooms: sel.rooms, Except: sel.except, Flags: cluster.Flags{Volatile: volatile},
		})
	})
}

// EmitLocal sends the event to this pod's sockets of the audience alone.
func (s *Server) EmitLocal(to models.Audience, ev models.Event) {
	sel, anybody := selectionFor(to)
	if !anybody {
		return
	}
	p, volatile := s.event(ev)
	s.send(p, sel, volatile, nil)
}

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
	sel, anybody := selectionFor(who)
	if !anybody {
		return nil
	}
	rooms := []string{string(chat)}
	s.joinLocal(sel, rooms)
	s.opts.Bus.Join(cluster.Options{Rooms: sel.rooms, Except: sel.except}, rooms)
	return s.settled(ctx)
}

// Leave takes the audience's sockets out of the chat's room and returns when
// every pod has done so.
func (s *Server) Leave(ctx context.Context, who models.Audience, chat models.ChatID) error {
	sel, anybody := selectionFor(who)
	if !anybody {
		return nil
	}
	rooms := []string{string(chat)}
	s.leaveLocal(sel, rooms)
	s.opts.Bus.Leave(cluster.Options{Rooms: sel.rooms, Except: sel.except}, rooms)
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

// selectionFor translates an audience. On the wire no rooms means everybody, so
// an audience of nobody must never get that far.
func selectionFor(to models.Audience) (sel selection, anybody bool) {
	n := len(to.Chats) + len(to.Users) + len(to.Sockets)
	if n == 0 {
		return selection{}, false
	}
	sel.rooms = make([]string, 0, n)
	for _, c := range to.Chats {
		sel.rooms = append(sel.rooms, string(c))
	}
	for _, u := range to.Users {
		sel.rooms = append(sel.rooms, userRoom(u))
	}
	for _, id := range to.Sockets {
		sel.rooms = append(sel.rooms, string(id))
	}
	sel.except = make([]string, 0, len(to.ExceptUsers)+len(to.ExceptSockets))
	for _, u := range to.ExceptUsers {
		sel.except = append(sel.except, userRoom(u))
	}
	for _, id := range to.ExceptSockets {
		sel.except = append(sel.except, string(id))
	}
	return sel, true
}
