package hub

import (
	"time"

	"github.com/zishang520/socket.io/servers/engine/v3"
)

// sweep looks, again and again, for what the library lets slip: sockets whose
// connection is gone, and connections nobody uses; and for sockets whose time
// is up.
func (s *Server) sweep() {
	ticker := time.NewTicker(min(time.Second, s.opts.PingInterval/2, s.opts.ConnectTimeout/4))
	defer ticker.Stop()
	var pruned time.Time
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
		}
		now := s.opts.Now()
		s.listen(now)
		s.sweepMembers(now, ghostAfter)
		s.sweepLinks(now)
		s.forgetAcks(now)
		s.resumption.tidy(s)
		if now.Sub(pruned) >= s.opts.RememberFor {
			s.pruneRecent(now)
			pruned = now
		}
	}
}

// sweepMembers makes those leave whose connection has been closed for a while:
// until then the library may still be busy with it, and knows the reason better.
func (s *Server) sweepMembers(now time.Time, patience time.Duration) {
	s.index.mu.Lock()
	all := make([]*member, 0, len(s.index.members))
	for _, m := range s.index.members {
		all = append(all, m)
		if m.has != nil && now.Sub(m.rooms[m.id]) > s.opts.RememberFor {
			m.has = nil
		}
	}
	s.index.mu.Unlock()
	for _, m := range all {
		switch {
		case m.link.conn.ReadyState() == "closed":
			if m.link.closedFor(now) >= patience {
				m.link.closed()
				m.socket.Disconnect(false) // leaves by way of the adapter
			}
		case m.expired(now):
			m.link.cut(cutTokenExpired)
		default:
			m.forget(now)
		}
	}
}

// expired says whether the member's token has ended.
func (m *member) expired(now time.Time) bool {
	at := m.expires.Load()
	return at != nil && !now.Before(*at)
}

func (s *Server) sweepLinks(now time.Time) {
	for _, l := range s.allLinks() {
		l.mu.Lock()
		idle := l.member == nil && !l.joined && now.Sub(l.idle) > s.opts.ConnectTimeout
		l.mu.Unlock()
		if l.conn.ReadyState() == "closed" {
			l.closed()
		} else if idle {
			l.cut(cutIdle)
		}
	}
	s.engine.Clients().Range(func(id string, conn engine.Socket) bool {
		if conn.ReadyState() == "closed" {
			s.engine.Clients().Delete(id)
		}
		return true
	})
}

// pruneRecent lets go of what quiet rooms remember.
func (s *Server) pruneRecent(now time.Time) {
	horizon := s.horizon(now)
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	for _, r := range s.index.rooms {
		r.recent.expire(horizon)
	}
}
