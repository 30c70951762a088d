package cluster

import (
	"context"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
)

// ClassicOptions are the options of NewClassic. Only Client is needed.
type ClassicOptions struct {
	// Client is one Redis, a sentinel failover, or a cluster. It stays the
	// caller's to close. Its ReadTimeout and DialTimeout bound how long Close may
	// take beyond its context.
	Client    redis.UniversalClient
	Prefix    string // "socket.io"
	Namespace string // "/"
	UID       string // 6 random characters
	// RequestTimeout is how long the other pods have to answer; 5 s.
	RequestTimeout time.Duration
	// QueueBytes and QueueLen bound what waits for Redis; 32 MiB and 100,000.
	QueueBytes int
	QueueLen   int
	Logger     *slog.Logger
	Metrics    Metrics
	Now        func() time.Time
}

// classic speaks the protocol of @socket.io/redis-adapter's createAdapter.
type classic struct {
	*link
	local Local

	broadcasts, asks, answers, mine string // channels
}

// NewClassic returns a bus that Node pods with @socket.io/redis-adapter 8 and
// @socket.io/redis-emitter 5 take for one of theirs.
func NewClassic(o ClassicOptions) Bus {
	if o.UID == "" {
		o.UID = shortID(6)
	}
	s := settings{
		client: o.Client, prefix: o.Prefix, nsp: o.Namespace, uid: o.UID, requestTimeout: o.RequestTimeout,
		queueBytes: o.QueueBytes, queueLen: o.QueueLen, log: o.Logger, metrics: o.Metrics, now: o.Now,
	}.withDefaults()
	c := &classic{
		broadcasts: s.prefix + "#" + s.nsp + "#",
		asks:       s.prefix + "-request#" + s.nsp + "#",
		answers:    s.prefix + "-response#" + s.nsp + "#",
	}
	c.mine = c.answers + s.uid + "#"
	c.link = newLink(s, "numsub", c.asks)
	c.marks = classicMarks(s.uid)
	c.subscriber.channels = []string{c.asks, c.answers, c.mine}
	c.subscriber.patterns = []string{c.broadcasts + "*"}
	c.subscriber.message = c.receive
	c.subscriber.resumed = func(since time.Time) { c.local.Resumed(since) }
	return c
}

func (c *classic) Start(ctx context.Context, local Local) error {
	c.local = local
	return c.start(ctx, local)
}

func (c *classic) Close(ctx context.Context) error { return c.close(ctx) }
