package hub

import (
	"context"
	"sync"

	sio "github.com/zishang520/socket.io/servers/socket/v3"
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

// onEvent hears every event of the socket, on a goroutine of the library that
// must not be blocked.
func (m *member) onEvent(args ...any) {
	if len(args) == 0 {
		return
	}
	name, ok := args[0].(string)
	if !ok {
		return
	}
	fn := m.server.handlers[name]
	if fn == nil {
		return
	}
	args = args[1:]
	var ack sio.Ack
	if n := len(args); n > 0 {
		if a, ok := args[n-1].(sio.Ack); ok {
			ack, args = a, args[:n-1]
		}
	}
	if !m.enqueue(func(ctx context.Context) {
		answer := fn(ctx, m.face, args)
		if ack == nil {
			return
		}
		if answer == nil {
			ack([]any{}, nil)
			return
		}
		ack([]any{answer}, nil)
	}) {
		m.link.cut(cutEventFlood)
	}
}

// enqueue runs fn after what was enqueued before it; false says that too much
// waits already.
func (m *member) enqueue(fn func(context.Context)) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return true
	}
	if len(m.events) >= maxEvents {
		return false
	}
	m.events = append(m.events, fn)
	if !m.working {
		m.working = true
		m.server.crew.run(m.work)
	}
	return true
}

func (m *member) work() {
	for {
		m.mu.Lock()
		if m.closed || len(m.events) == 0 {
			m.working, m.events = false, nil
			m.mu.Unlock()
			return
		}
		fn := m.events[0]
		m.events[0] = nil
		m.events = m.events[1:]
		m.mu.Unlock()
		m.server.guard("event handler", func() { fn(m.ctx) })
	}
}
