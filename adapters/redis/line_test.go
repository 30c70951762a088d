package redis

import (
	"context"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	driver "github.com/redis/go-redis/v9"
)

// proxy stands between a client and Redis and can cut the line.
type proxy struct {
	addr    string
	listen  net.Listener
	blocked atomic.Bool // nothing passes, connections break
	mu      sync.Mutex
	conns   []net.Conn
}

func startProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String(), listen: l}
	t.Cleanup(func() { _ = l.Close(); p.block() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			if p.blocked.Load() {
				_ = in.Close()
				continue
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, in, out)
			p.mu.Unlock()
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
			go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
		}
	}()
	return p
}

func (p *proxy) block() {
	p.blocked.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

// deaf is a client hook: Redis does what it is told, and the answer gets lost.
type deaf struct {
	on   atomic.Bool
	only string // of calls with this command; empty: all
}

func (d *deaf) lose(err error, cmds ...driver.Cmder) error {
	if d.on.Load() && (d.only == "" || slices.ContainsFunc(cmds, func(c driver.Cmder) bool { return c.Name() == d.only })) {
		return os.ErrDeadlineExceeded
	}
	return err
}

func (d *deaf) DialHook(next driver.DialHook) driver.DialHook { return next }

func (d *deaf) ProcessHook(next driver.ProcessHook) driver.ProcessHook {
	return func(ctx context.Context, cmd driver.Cmder) error { return d.lose(next(ctx, cmd), cmd) }
}

func (d *deaf) ProcessPipelineHook(next driver.ProcessPipelineHook) driver.ProcessPipelineHook {
	return func(ctx context.Context, cmds []driver.Cmder) error { return d.lose(next(ctx, cmds), cmds...) }
}
