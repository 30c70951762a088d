//go:build !noembed

package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// redisTick is how often keys age. Leases and the like last seconds, so a
// tenth of one is exact enough.
const redisTick = 100 * time.Millisecond

// Redis starts a Redis-protocol server in memory on a free loopback port.
func Redis(ctx context.Context, logger *slog.Logger) (*Server, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("embedded redis: %w", err)
	}
	m := miniredis.NewMiniRedis()
	if err := m.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("embedded redis: %w", err)
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		age(m, quit)
	}()
	logger.Debug("embedded redis listens", "addr", m.Addr())
	return &Server{
		uri: "redis://" + m.Addr() + "/0",
		stop: func(ctx context.Context) error {
			close(quit)
			closed := make(chan struct{})
			go func() {
				defer close(closed)
				<-done
				m.Close()
			}()
			select {
			case <-closed:
			case <-ctx.Done():
				return fmt.Errorf("embedded redis: %w", ctx.Err())
			}
			return nil
		},
	}, nil
}

// age moves the time of the keys along with the real one, which miniredis, made
// for tests, leaves to its user.
func age(m *miniredis.Miniredis, quit <-chan struct{}) {
	tick := time.NewTicker(redisTick)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-quit:
			return
		case <-tick.C:
			now := time.Now()
			m.FastForward(now.Sub(last))
			last = now
		}
	}
}
