package hub

import (
	"sync"

	"golang.org/x/time/rate"

	"parley/models"
)

// Socket is a connected socket as event handlers see it.
type Socket struct {
	m *member

	mu     sync.Mutex
	limits map[string]*rate.Limiter
}

// ID is the socket's id.
func (s *Socket) ID() models.SocketID { return models.SocketID(s.m.id) }

// UserID is the user it was identified as.
func (s *Socket) UserID() models.UserID {
	s.m.server.index.mu.Lock()
	defer s.m.server.index.mu.Unlock()
	return s.m.user
}

// Allow takes one from the socket's bucket of that name, which holds burst and
// refills at perSecond; the first call decides both.
func (s *Socket) Allow(name string, perSecond float64, burst int) bool {
	s.mu.Lock()
	limit := s.limits[name]
	if limit == nil {
		limit = rate.NewLimiter(rate.Limit(perSecond), burst)
		if s.limits == nil {
			s.limits = map[string]*rate.Limiter{}
		}
		s.limits[name] = limit
	}
	s.mu.Unlock()
	return limit.AllowN(s.m.server.opts.Now(), 1)
}
