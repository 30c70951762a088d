// Package listen takes connections in for the HTTP server. It owns how long one
// may stand open before its first byte, and how many may; it refuses to know
// what is said on them: whose turn it is, others tell by their first bytes.
package listen

import (
	"container/list"
	"log/slog"
	"net"
	"sync"
	"time"
)

// Options says how long, and how many. The zero value of a field is its default.
type Options struct {
	// Ahead is how long a connection may stand without a byte: balancers and
	// browsers open some ahead of need. 75 s.
	Ahead time.Duration
	// Headers is how long the first request's headers may take from their first
	// byte on; 10 s.
	Headers time.Duration
	// Places is how many connections may stand for longer than Headers; 1,024.
	// For one that comes beyond them the oldest such is closed.
	Places int
	// Most is how many may stand at all; 8,192. Beyond it the oldest is closed.
	Most int
	// Turn is called with the first bytes of a connection, before the HTTP server
	// has them, and returns when it is its turn; nil for everybody's is at once.
	// It says whether there was something to wait for.
	Turn func(first []byte) (waited bool)

	Logger  *slog.Logger
	Metrics Metrics
	Now     func() time.Time
}

// Metrics is told how many connections stand without a byte.
type Metrics interface {
	// Unspoken is their number.
	Unspoken(n int)
	// Dropped counts those closed for newer ones ("connection_unspoken").
	Dropped(reason string)
}

// logEvery keeps whoever opens connections from writing our log.
const logEvery = time.Minute

// Listener wraps a TCP listener.
type Listener struct {
	*net.TCPListener
	opts Options

	mu     sync.Mutex
	stand  *list.List // of *conn without a byte, oldest first
	placed int        // those of them that may stand for Ahead
	logged time.Time
}

// Wrap makes a Listener.
func Wrap(inner *net.TCPListener, o Options) *Listener {
	if o.Ahead <= 0 {
		o.Ahead = 75 * time.Second
	}
	if o.Headers <= 0 {
		o.Headers = 10 * time.Second
	}
	if o.Places <= 0 {
		o.Places = 1024
	}
	if o.Most <= 0 {
		o.Most = 8192
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = unmeasured{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Listener{TCPListener: inner, opts: o, stand: list.New()}
}

// Accept waits for the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	tcp, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	c := &conn{TCPConn: tcp, listener: l, since: l.opts.Now()}
	for _, old := range l.admit(c) {
		_ = old.TCPConn.Close() // nobody waits for it to be told
	}
	return c, nil
}

// admit gives the newcomer its time and returns who has to go for it: whoever
// has said nothing for longest, who is the least likely to be a client.
func (l *Listener) admit(c *conn) (gone []*conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.placed >= l.opts.Places {
		oldest := l.oldest()
		if c.since.Sub(oldest.since) <= l.opts.Headers {
			break // they all came just now, as clients do after a fault
		}
		l.remove(oldest)
		gone = append(gone, oldest)
	}
	c.until = c.since.Add(l.opts.Headers)
	if l.placed < l.opts.Places {
		c.until, c.placed = c.since.Add(l.opts.Ahead), true
		l.placed++
	}
	c.at = l.stand.PushBack(c)
	for l.stand.Len() > l.opts.Most {
		oldest := l.oldest()
		l.remove(oldest)
		gone = append(gone, oldest)
	}
	for range gone {
		l.opts.Metrics.Dropped("connection_unspoken")
	}
	if len(gone) > 0 && c.since.Sub(l.logged) >= logEvery {
		l.logged = c.since
		l.opts.Logger.Warn("connections that say nothing are closed for newer ones", "open", l.stand.Len())
	}
	l.opts.Metrics.Unspoken(l.stand.Len())
	return gone
}

func (l *Listener) oldest() *conn { return l.stand.Front().Value.(*conn) }

// remove needs l.mu.
func (l *Listener) remove(c *conn) {
	if c.at == nil {
		return
	}
	l.stand.Remove(c.at)
	c.at = nil
	if c.placed {
		l.placed--
	}
}

// leave takes one that has spoken, or is closed, off the list.
func (l *Listener) leave(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.at != nil {
		l.remove(c)
		l.opts.Metrics.Unspoken(l.stand.Len())
	}
}

type unmeasured struct{}

func (unmeasured) Unspoken(int)   {}
func (unmeasured) Dropped(string) {}
