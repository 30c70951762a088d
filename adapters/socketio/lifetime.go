package socketio

import (
	"context"
	"sync"
	"sync/atomic"
)

// lifetime is a socket's. Contexts are made for who asks, and no earlier: a
// socket that only listens has none.
type lifetime struct {
	over atomic.Bool

	mu      sync.Mutex
	ctx     context.Context
	cancel  context.CancelFunc // of ctx
	turnOff context.CancelFunc // of the middlewares' context
}

// context ends with the socket, or its server.
func (l *lifetime) context(server context.Context) context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx == nil {
		l.ctx, l.cancel = context.WithCancel(server)
		if l.over.Load() {
			l.cancel()
		}
	}
	return l.ctx
}

// whileLetIn runs fn with a context that ends with the socket, and with fn.
func (l *lifetime) whileLetIn(server context.Context, fn func(context.Context)) {
	ctx, cancel := context.WithCancel(server)
	defer cancel()
	l.mu.Lock()
	l.turnOff = cancel
	if l.over.Load() {
		cancel()
	}
	l.mu.Unlock()
	fn(ctx)
	l.mu.Lock()
	l.turnOff = nil
	l.mu.Unlock()
}

func (l *lifetime) end() {
	l.over.Store(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, cancel := range []context.CancelFunc{l.cancel, l.turnOff} {
		if cancel != nil {
			cancel()
		}
	}
}
