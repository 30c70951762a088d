package redis

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

// Parts of PRESENCE_TTL. A pod that dies right after a refresh loses its lease
// after 1/2 and is found after another 1/6 at the latest; if the finder dies
// too, its claim ends after 1/12 and the next one looks after another 1/6.
// That is 11/12, which leaves 1/12 for the work itself.
const (
	leasePart   = 2
	refreshPart = 6
	claimPart   = 12
	gracePart   = 4
)

const (
	defaultTTL = 30 * time.Second
	// A batch is one round trip; workers bound how many departures are told at once:
	// a batch, because those told together share the round trips of that.
	batchSize = 200
	workers   = batchSize
	// maxLeaving bounds the removals that wait for Redis. Beyond it a socket is
	// forgotten here and found again in the pod's own hash by the next audit.
	maxLeaving = 65536
	// auditEvery is the number of refreshes between two full audits: one a TTL.
	auditEvery = refreshPart
	// reapedFor is how long a reaped pod can learn that it was.
	reapedFor = 24 * time.Hour
	// callbackTimeout bounds what a callback may take, shutdown or not.
	callbackTimeout = 5 * time.Second
)

// The reasons of the departures that are told to the callbacks.
const (
	ReasonPodLost = "pod lost"
	ReasonLate    = "removed late"
)

const (
	podsKey    = "parley:pods" // sorted set: pod → last refresh, Unix ms
	podPrefix  = "parley:pod:"
	userPrefix = "user:"
	userSuffix = ":sockets"
)

// One key each, or two of one slot, so that they run on any node of a cluster. Who comes is told who
// was there in the same breath, unless they are many: of two that come at once,
// one is the first. That others were told they were gone is over.
const (
	addScript = `local n=redis.call('SADD',KEYS[1],ARGV[1])
if KEYS[2] and (tonumber(redis.call('GET',KEYS[2]) or '') or 0)<0 then redis.call('DEL',KEYS[2]) end
local all=redis.call('SCARD',KEYS[1])
if all==1 or all>tonumber(ARGV[2]) then return {n,all-1} end
return {n,all-1,redis.call('SMEMBERS',KEYS[1])}`
	removeScript = `local n=redis.call('SREM',KEYS[1],ARGV[1]) return {n,redis.call('SCARD',KEYS[1])}`
)

// Callbacks are told what happened to sockets outside Add and Remove. They may
// be called from several goroutines at once; each has five seconds.
type Callbacks struct {
	// OnReaped: a socket of a lost pod was taken out of its user's set. left is
	// how many sockets the user has after it; 0 means the user is offline now.
	OnReaped func(ctx context.Context, departure models.Departure, left int)
	// OnLate: a Remove that could not be done at its time has been done now.
	OnLate func(ctx context.Context, departure models.Departure, left int)
	// OnRestored: a live socket was missing from its user's set, because Redis
	// lost data or because this pod was taken for dead, and is in it again.
	// others is how many more sockets the user has.
	OnRestored func(ctx context.Context, user models.UserID, socket models.SocketID, others int)
	// OnForgotten: Redis has lost what it knew, at that time at the latest, and all
	// pods that live have put back what they have. After an error it is called again.
	OnForgotten func(ctx context.Context, at time.Time) error
	// OnUntold: these users have left, and were not back within the grace. Of those
	// TakeUntold returns, others are to be told. After an error it is called again.
	OnUntold func(ctx context.Context, untold []models.Untold) error
}

// PresenceOptions say who the pod is.
type PresenceOptions struct {
	Client driver.UniversalClient
	// PodID names this process among the pods that are alive. One that comes
	// back under its old id cleans up after itself at once.
	PodID string
	// TTL is PRESENCE_TTL: how long the sockets of a dead pod may last.
	TTL time.Duration
	// Grace is PRESENCE_GRACE: who is back within it was never gone.
	Grace   time.Duration
	Logger  *slog.Logger
	Metrics Metrics
	// Now stamps departures and leases.
	Now       func() time.Time
	Callbacks Callbacks
}

// Presence is who has which sockets, over all pods.
type Presence struct {
	client    driver.UniversalClient
	clustered bool
	pod       string
	ttl       time.Duration
	logger    *slog.Logger
	metrics   Metrics
	now       func() time.Time
	callbacks Callbacks
	sockets   *registry
	notices   *notices
	trips     *trips

	grace   time.Duration
	dues    dues
	overdue chan struct{} // somebody may be due whose pod has died
	telling turn          // held while others are told who left
	silent  bool          // nobody is told by this pod any more; needs telling

	kicks  chan struct{} // the lease is to be looked at now
	work   chan struct{} // upkeep has something to do
	resync atomic.Bool   // … and it is a full audit
	// forgotten: Redis has lost what it knew, and who is there is there again.
	forgotten chan struct{}
	// earlier is when a process that had this pod id before was last heard of.
	// The lease loop writes it before it first wakes the upkeep, which then owns it.
	earlier time.Time

	mu      sync.Mutex
	healthy time.Time // since when the lease has been held without a break; zero: it is not
	lost    time.Time // when Redis was first found to have lost what it knew; zero: it has not
	cancel  context.CancelFunc
	done    chan struct{}
	closed  bool
}

var podPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// NewPresence makes the Presence of this pod; it does nothing until Run.
func NewPresence(o PresenceOptions) (*Presence, error) {
	if o.Client == nil {
		return nil, models.Internal(errors.New("presence needs a Redis client"))
	}
	if !podPattern.MatchString(o.PodID) {
		return nil, models.Internal(errors.New("a pod id is 1 to 128 letters, digits, dots, dashes or underscores"))
	}
	if o.TTL <= 0 {
		o.TTL = defaultTTL
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &Presence{
		client: o.Client, pod: o.PodID, ttl: o.TTL, now: o.Now, callbacks: o.Callbacks,
		sockets: newRegistry(), notices: newNotices(o.Client), trips: newTrips(o.Client), grace: o.Grace, dues: dues{sooner: make(chan struct{}, 1)}, overdue: make(chan struct{}, 1),
		kicks: make(chan struct{}, 1), work: make(chan struct{}, 1), forgotten: make(chan struct{}, 1),
	}
	_, p.clustered = o.Client.(*driver.ClusterClient)
	p.logger, p.metrics = orQuiet(o.Logger, o.Metrics)
	return p, nil
}

// SetCallbacks is for a caller that is itself made with the Presence. It must
// come before Run.
func (p *Presence) SetCallbacks(c Callbacks) { p.callbacks = c }

// Has says whether the socket is this pod's.
func (p *Presence) Has(socket models.SocketID) bool { return p.sockets.knows(socket) }

func userKey(user models.UserID) string { return userPrefix + string(user) + userSuffix }

func leaseKey(pod string) string   { return podPrefix + pod }
func socketsKey(pod string) string { return podPrefix + pod + ":sockets" }
func claimKey(pod string) string   { return podPrefix + pod + ":reaper" }
func reapedKey(pod string) string  { return podPrefix + pod + ":reaped" }

// ask runs fn and reports how it went under the name of the operation.
func (p *Presence) ask(op string, fn func() error) error {
	start := time.Now()
	err := fn()
	if errors.Is(err, driver.Nil) {
		err = nil
	}
	p.metrics.RedisLatency(op, time.Since(start))
	if err == nil {
		return nil
	}
	if !errors.Is(err, context.Canceled) { // the caller gave up, not Redis
		p.metrics.RedisError(op)
	}
	return models.Unavailable("Redis", err)
}

// opTimeout bounds a call of the loops, whose context has no deadline.
func (p *Presence) opTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, min(2*time.Second, p.ttl/refreshPart))
}

// tell runs fn for every index with a bounded number at a time. What was taken
// out of Redis has to be told even while this pod stops.
func (p *Presence) tell(ctx context.Context, n int, fn func(ctx context.Context, i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), callbackTimeout)
				fn(bounded, i)
				cancel()
			}
		})
	}
	wg.Wait()
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has not been seen to yet, and one is enough
	}
}
