package cluster

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Defaults of the options every bus has.
const (
	defaultPrefix         = "socket.io"
	defaultNamespace      = "/"
	defaultRequestTimeout = 5 * time.Second
	defaultAckTimeout     = 5 * time.Second
	defaultQueueBytes     = 32 << 20
	defaultQueueLen       = 100_000
)

// RoomIndex is what a Local may offer besides: messages for rooms of which this
// pod has none are then not even decoded.
type RoomIndex interface {
	HasRoom(room string) bool
}

// settings are the options every bus has, with their defaults filled in.
type settings struct {
	client         redis.UniversalClient
	prefix         string
	nsp            string
	uid            string
	requestTimeout time.Duration
	queueBytes     int
	queueLen       int
	log            *slog.Logger
	metrics        Metrics
	now            func() time.Time
}

func (s settings) withDefaults() settings {
	if s.prefix == "" {
		s.prefix = defaultPrefix
	}
	if s.nsp == "" {
		s.nsp = defaultNamespace
	}
	if s.requestTimeout <= 0 {
		s.requestTimeout = defaultRequestTimeout
	}
	if s.queueBytes <= 0 {
		s.queueBytes = defaultQueueBytes
	}
	if s.queueLen <= 0 {
		s.queueLen = defaultQueueLen
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.metrics == nil {
		s.metrics = unmeasured{}
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

type unmeasured struct{}

func (unmeasured) ClusterDropped(string) {}
func (unmeasured) ClusterPublished(int)  {}
func (unmeasured) ClusterReceived(int)   {}

// link is what every bus is made of: a queue, the goroutine that empties it
// into Redis, the goroutine that listens, and the questions under way.
type link struct {
	settings
	drops      *drops
	queue      *queue
	publisher  *publisher
	subscriber *subscriber
	requests   requests

	marks marks     // of what this pod has published
	index RoomIndex // nil where the Local offers none

	// counted is the channel every pod is subscribed to.
	counted string

	up    chan struct{} // closed once this pod hears the others
	needs atomic.Int32  // the connections that takes

	// also runs beside publisher and subscriber.
	also []func(ctx context.Context)
	// lastWords, where it is set, returns once what the others asked before this
	// pod left has been answered.
	lastWords func(ctx context.Context)

	mu      sync.Mutex
	cancel  context.CancelFunc
	closing bool
	workers sync.WaitGroup
	flushed chan struct{}
}

func newLink(s settings, subcommand, counted string) *link {
	l := &link{settings: s, counted: counted, up: make(chan struct{}), flushed: make(chan struct{})}
	l.drops = newDrops(s.log, s.metrics, s.now)
	l.queue = newQueue(s.queueLen, s.queueBytes, func(o *outgoing, reason string) {
		l.drops.count(reason, nil)
		if o.request != nil {
			o.request.fail(unavailable(errQueueFull))
		}
	})
	l.publisher = &publisher{
		queue: l.queue, nodes: nodes{client: s.client, home: s.uid}, log: s.log, metrics: s.metrics,
		drops: l.drops, kick: make(chan struct{}, 1), subcommand: subcommand, channel: counted,
	}
	l.subscriber = &subscriber{
		client: s.client, log: s.log, now: s.now,
	}
	l.needs.Store(1)
	l.subscriber.subscribed = l.connected(&l.subscriber.epoch)
	l.publisher.catchUp = l.subscriber.fence
	l.publisher.listening = func() (int64, bool) { return l.subscriber.epoch.Load(), l.subscriber.ready.Load() }
	return l
}

// connected returns what a connection calls each time it stands.
func (l *link) connected(epoch *atomic.Int64) func() {
	return func() {
		if epoch.Load() == 1 && l.needs.Add(-1) == 0 {
			close(l.up)
		}
		l.publisher.again()
	}
}

// buffers are what messages are spelled in.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxBuffer is the largest that is kept.
const maxBuffer = 64 << 10

// spell makes the text of a message now, because the caller may change the data
// afterwards. It is copied once, out of a buffer used again. What cannot be
// spelled is counted.
func (l *link) spell(encode func([]byte, any) ([]byte, error), v any) (string, error) {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	b, err := encode((*buffer)[:0], v)
	if err != nil {
		l.drops.count(reasonUnencodable, err)
		return "", err
	}
	if cap(b) <= maxBuffer {
		*buffer = b
	}
	return string(b), nil
}

// start runs the goroutines and returns once this pod hears the others.
func (l *link) start(ctx context.Context, local Local) error {
	l.index, _ = local.(RoomIndex)
	l.mu.Lock()
	if l.closing || l.cancel != nil {
		l.mu.Unlock()
		return unavailable(errClosed)
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.cancel = cancel
	l.workers.Go(func() {
		defer close(l.flushed)
		l.publisher.run(run)
	})
	l.workers.Go(func() { l.subscriber.run(run) })
	for _, fn := range l.also {
		l.workers.Go(func() { fn(run) })
	}
	l.mu.Unlock()
	select {
	case <-l.up:
		return nil
	case <-ctx.Done():
		l.stop()
		return unavailable(ctx.Err())
	}
}

// stop ends all goroutines at once.
func (l *link) stop() {
	l.mu.Lock()
	cancel := l.cancel
	l.mu.Unlock()
	cancel()
	l.workers.Wait()
}

func (l *link) close(ctx context.Context) error {
	l.mu.Lock()
	if l.closing {
		l.mu.Unlock()
		return nil
	}
	l.closing = true
	cancel := l.cancel
	l.mu.Unlock()
	var err error
	if cancel != nil {
		l.subscriber.leave(ctx, l.counted)
		if l.lastWords != nil {
			l.lastWords(ctx)
		}
		l.queue.close()
		select {
		case <-l.flushed:
		case <-ctx.Done():
			err = unavailable(ctx.Err())
		}
		cancel()
		l.workers.Wait()
	}
	l.queue.close()
	l.queue.discard()
	l.requests.close()
	return err
}

// Ready returns nil while this pod hears the others.
func (l *link) Ready() error {
	if !l.subscriber.ready.Load() {
		return unavailable(errNotSubscribed)
	}
	return nil
}

// Flush returns when everything so far is on its way, or with an error at once
// where this pod is cut off.
func (l *link) Flush(ctx context.Context) error {
	if err := l.Ready(); err != nil {
		return err
	}
	if err := l.publisher.queue.flushed(ctx); err != nil {
		return unavailable(err)
	}
	return nil
}

// CatchUp returns once what Redis has sent us has been dealt with.
func (l *link) CatchUp(ctx context.Context) error { return l.subscriber.fence(ctx) }

// Pods counts the pods that listen.
func (l *link) Pods(ctx context.Context) (int, error) {
	n, err := l.publisher.nodes.count(ctx, l.publisher.subcommand, l.counted)
	if err != nil {
		return 0, unavailable(err)
	}
	return n, nil
}
