package sim

import (
	"context"
	"net"
	"time"

	"github.com/alicebob/miniredis/v2"
	driver "github.com/redis/go-redis/v9"
)

// memory is Redis for all pods.
type memory struct{ mini *miniredis.Miniredis }

func newMemory() (*memory, error) {
	m := &memory{mini: miniredis.NewMiniRedis()}
	conn, err := m.mini.Dial() // which starts it, without a port
	if err != nil {
		return nil, err
	}
	m.mini.ClockTTL(true)
	shardsOf(m.mini)
	return m, conn.Close()
}

// client is a pod's way to it, over links of its own.
func (m *memory) client(to *links, latency time.Duration) *driver.Client {
	const patience = 500 * time.Millisecond // as in production
	return driver.NewClient(&driver.Options{
		Addr: "127.0.0.1:6379", // never dialled; a name would be looked up
		Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			l, err := to.dial(latency)
			if err != nil {
				return nil, err
			}
			m.mini.Server().ServeConn(l.b)
			return l.a, nil
		},
		MaxRetries: -1, DialerRetries: 1, DialerRetryTimeout: 10 * time.Millisecond,
		DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience, PoolTimeout: patience,
		ContextTimeoutEnabled: true, PoolSize: 32,
	})
}
