package hub

import (
	"parley/adapters/socketio"
	"parley/models"
)

// EmitEach is Emit for several events in their order: all are queued, and given
// to the other pods, before any socket is written to, so that one that is told
// several is told them in one go.
func (s *Server) EmitEach(notices []models.Notice) {
	var flush []*member
	total := 0
	for _, notice := range notices {
		to, anybody := audienceFor(notice.To)
		if !anybody {
			continue
		}
		p, volatile := s.event(notice.Event)
		if s.index.reaches(to) {
			msg, ok := s.encode(p, volatile)
			if !ok {
				continue
			}
			s.index.mu.Lock()
			ready, n := queue(&msg, s.index.pick(to, nil))
			s.index.mu.Unlock()
			flush, total = append(flush, ready...), total+n
		}
		s.opts.Bus.Broadcast(wirePacket(p), wireOptions(to, socketio.Flags{Volatile: volatile}))
	}
	s.flush(flush, total) // of one that is there twice, the second finds nothing to do
}

// Here says of each of the users whether they have a socket on this pod.
func (s *Server) Here(users []models.UserID) []bool {
	here := make([]bool, len(users))
	var name []byte
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	for i, u := range users {
		name = append(append(name[:0], userRoomPrefix...), u...)
		here[i] = s.index.rooms[string(name)] != nil
	}
	return here
}
