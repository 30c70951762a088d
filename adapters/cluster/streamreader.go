package cluster

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	readCount = 100
	readBlock = 1500 * time.Millisecond
	// catchUpWithin bounds how long a question waits for the stream.
	catchUpWithin = 2 * time.Second
	streamStart   = "0-0"
)

// fields are those of an entry.
type fields map[string]any

func (f fields) text(key string) string {
	s, _ := f[key].(string)
	return s
}

// streamReader is the one goroutine that reads a stream. It remembers where it
// was, so that a break of the connection loses nothing the stream still holds.
type streamReader struct {
	client redis.UniversalClient
	stream string
	log    *slog.Logger
	now    func() time.Time

	entry     func(fields)
	resumed   func(since time.Time)
	connected func()

	ready  atomic.Bool
	epoch  atomic.Int64
	readAt time.Time // everything before it has been read
	ended  chan struct{}

	mu     sync.Mutex
	offset string        // "" before the first connection
	moved  chan struct{} // closed with the next step of offset; nil while nobody waits
}

func newStreamReader(s settings, stream string, entry func(fields), resumed func(time.Time)) *streamReader {
	return &streamReader{
		client: s.client, stream: stream, log: s.log, now: s.now,
		entry: entry, resumed: resumed, ended: make(chan struct{}),
	}
}

func (r *streamReader) run(ctx context.Context) {
	defer close(r.ended)
	var b backoff
	for ctx.Err() == nil {
		was, err := r.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if was {
			b.reset()
		}
		r.log.Warn("cluster stream lost", "error", err)
		if pause(ctx, b.step(), nil) != nil {
			return
		}
	}
}

// session reads on a connection of its own; was says whether it ever read.
func (r *streamReader) session(ctx context.Context) (was bool, err error) {
	c, err := r.connection(ctx)
	if err != nil {
		return false, err
	}
	// Closing the client is what ends a blocked read.
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		_ = c.Close()
	})
	defer func() {
		r.ready.Store(false)
		if stop() {
			_ = c.Close()
		} else {
			<-closed
		}
	}()
	lost, err := r.begin(ctx, c)
	if err != nil {
		return false, err
	}
	since := r.readAt
	r.readAt = r.now()
	r.epoch.Add(1)
	if lost { // before anybody can take what follows for all there was
		r.log.Warn("the stream lost entries", "since", since)
		r.resumed(since)
	}
	r.ready.Store(true)
	r.wake()
	r.connected()
	for {
		asked := r.now()
		got, err := c.XRead(ctx, &redis.XReadArgs{
			Streams: []string{r.stream, r.at()}, Count: readCount, Block: readBlock,
		}).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return true, err
		}
		n := 0
		for _, s := range got {
			for _, m := range s.Messages {
				n++
				r.entry(m.Values)
				r.step(m.ID)
			}
		}
		if n < readCount {
			r.readAt = asked
		}
	}
}

// connection makes a client with one connection, which can be closed from
// elsewhere while it blocks.
func (r *streamReader) connection(ctx context.Context) (*redis.Client, error) {
	var template *redis.Client
	switch c := r.client.(type) {
	case *redis.Client:
		template = c
	case *redis.ClusterClient:
		c.ReloadState(ctx)
		node, err := c.MasterForKey(ctx, r.stream)
		if err != nil {
			return nil, err
		}
		template = node
	default:
		return nil, errors.New("the streams adapter needs a client for one server, for sentinels or for a cluster")
	}
	o := *template.Options()
	o.PoolSize, o.MinIdleConns, o.MaxIdleConns, o.MaxRetries = 1, 0, 0, -1
	// The template's client changes its own configuration as it connects.
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(&o), nil
}

// begin finds out where to read on; lost says that entries were missed.
func (r *streamReader) begin(ctx context.Context, c *redis.Client) (lost bool, err error) {
	last, err := r.last(ctx, c)
	if err != nil {
		return false, err
	}
	at := r.at()
	switch {
	case at == "":
		r.step(last)
		return false, nil
	case olderID(last, at):
		// Redis lost its data, or a replica that was behind took over.
		r.step(last)
		return true, nil
	case at == streamStart:
		return false, nil
	}
	found, err := c.XRange(ctx, r.stream, at, at).Result()
	if err != nil {
		return false, err
	}
	return len(found) == 0, nil
}

// last returns the newest entry's id.
func (r *streamReader) last(ctx context.Context, c redis.Cmdable) (string, error) {
	found, err := c.XRevRangeN(ctx, r.stream, "+", "-", 1).Result()
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return streamStart, nil
	}
	return found[0].ID, nil
}

// catchUp returns once everything that is in the stream now has been handled; with
// an error where that cannot be told soon.
func (r *streamReader) catchUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, catchUpWithin)
	defer cancel()
	last, err := r.last(ctx, r.client)
	if err != nil {
		return unavailable(err)
	}
	for {
		r.mu.Lock()
		if r.ready.Load() && !olderID(r.offset, last) {
			r.mu.Unlock()
			return nil
		}
		if r.moved == nil {
			r.moved = make(chan struct{})
		}
		moved := r.moved
		r.mu.Unlock()
		select {
		case <-moved:
		case <-r.ended:
			return unavailable(errClosed)
		case <-ctx.Done():
			return unavailable(ctx.Err())
		}
	}
}

func (r *streamReader) at() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.offset
}

func (r *streamReader) step(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offset = id
	r.wakeLocked()
}

// wake lets those look again who wait for the reader.
func (r *streamReader) wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wakeLocked()
}

func (r *streamReader) wakeLocked() {
	if r.moved != nil {
		close(r.moved)
		r.moved = nil
	}
}

// olderID compares entry ids: milliseconds, a dash, a number.
func olderID(a, b string) bool {
	ms1, n1 := splitID(a)
	ms2, n2 := splitID(b)
	return ms1 < ms2 || (ms1 == ms2 && n1 < n2)
}

func splitID(id string) (ms, n uint64) {
	left, right, _ := strings.Cut(id, "-")
	ms, _ = strconv.ParseUint(left, 10, 64)
	n, _ = strconv.ParseUint(right, 10, 64)
	return ms, n
}
