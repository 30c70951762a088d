package hub

import (
	"maps"
	"time"
)

// upkeep does, again and again, what is due by the clock.
func (s *Server) upkeep() {
	ticker := time.NewTicker(min(time.Second, s.opts.PingInterval/2))
	defer ticker.Stop()
	var pruned time.Time
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
		}
		now := s.opts.Now()
		s.expire(now)
		s.resumption.tidy(s)
		if now.Sub(pruned) >= s.opts.RememberFor {
			s.pruneRecent(now)
			pruned = now
		}
	}
}

// expire cuts off those whose token has expired, and lets members forget.
func (s *Server) expire(now time.Time) {
	var late []*member
	horizon := s.horizon(now)
	s.index.mu.Lock()
	for _, m := range s.index.members {
		if !m.expires.IsZero() && !m.expires.After(now) {
			late = append(late, m)
			continue
		}
		m.history.forget(horizon)
	}
	s.index.mu.Unlock()
	for _, m := range late {
		m.session.CloseFor(cutTokenExpired)
	}
}

// pruneRecent lets go of what quiet rooms remember.
func (s *Server) pruneRecent(now time.Time) {
	horizon := s.horizon(now)
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	for _, r := range s.index.rooms {
		r.recent.expire(horizon)
		maps.DeleteFunc(r.joined, func(_ *member, at time.Time) bool { return at.Before(horizon) })
	}
}
