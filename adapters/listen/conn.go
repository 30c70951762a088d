package listen

import (
	"container/list"
	"context"
	"net"
	"sync/atomic"
	"time"
)

// conn is a TCP connection in all it can do (files are sent by the kernel), but
// for the deadline of its first byte.
type conn struct {
	*net.TCPConn
	listener *Listener
	since    time.Time
	until    time.Time // for the first byte; fixed once it was accepted
	spoke    atomic.Bool
	waited   atomic.Bool // for its turn, and no request was told so

	// Guarded by listener.mu.
	at     *list.Element // nil once it has spoken or is closed
	placed bool
}

// SetReadDeadline is called by the HTTP server before the first byte with a time
// that counts from the accept; what it means is the time for the headers, which
// counts from their first byte.
func (c *conn) SetReadDeadline(t time.Time) error {
	if !c.spoke.Load() && (t.IsZero() || t.After(c.since)) {
		t = c.until
	}
	return c.TCPConn.SetReadDeadline(t)
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if n > 0 && !c.spoke.Load() {
		c.spoke.Store(true)
		c.listener.leave(c)
		if turn := c.listener.opts.Turn; turn != nil {
			c.waited.Store(turn(p[:n]))
		}
		if derr := c.TCPConn.SetReadDeadline(c.listener.opts.Now().Add(c.listener.opts.Headers)); derr != nil && err == nil {
			err = derr
		}
	}
	return n, err
}

// Plain is the connection itself, for who takes it over after a request: nothing
// is left to be done for it.
func (c *conn) Plain() *net.TCPConn {
	if !c.spoke.Load() {
		return nil
	}
	return c.TCPConn
}

func (c *conn) Close() error {
	c.listener.leave(c)
	return c.TCPConn.Close()
}

type connKey struct{}

// Context is for an http.Server's ConnContext: Waited is asked with the context of
// a request.
func Context(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// Waited says of the first request of a connection, once, whether that has waited
// for its turn.
func Waited(ctx context.Context) bool {
	c, ok := ctx.Value(connKey{}).(*conn)
	return ok && c.waited.Swap(false)
}
