package sim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/adapters/hub"
	"parley/adapters/redis"
	"parley/handlers"
	"parley/models"
	"parley/rooms"
)

// The times of a pod. Those that are not here are the server's.
const (
	pingInterval  = 5 * time.Second
	pingTimeout   = 4 * time.Second
	presenceTTL   = 12 * time.Second
	presenceGrace = 3 * time.Second
	recovery      = 2 * time.Minute
)

// pod is one process of Parley, wired as package server wires it.
type pod struct {
	name     string
	killed   atomic.Bool
	mu       sync.Mutex
	cuts     []outage // when it was cut off from Redis
	marks    *rooms.Marks
	rooms    *rooms.Service
	hub      *hub.Server
	presence *redis.Presence
	client   *driver.Client
	http     *http.Server
	clients  links // to its clients
	redis    links // to Redis
	listener *listener
	cancel   context.CancelFunc
	tasks    sync.WaitGroup
	requests sync.WaitGroup // under way
	dead     chan struct{}
	died     sync.Once
	once     sync.Once
	armed    atomic.Bool // it dies when it has stored the next message
	struck   atomic.Bool // … and has
}

func (w *world) newPod(name string) (*pod, error) {
	p := &pod{name: name, listener: newListener(), dead: make(chan struct{})}
	logger := w.logger.With("pod", name)
	store := view{w.database, p.dead, p.stored}
	p.client = w.memory.client(&p.redis, 200*time.Microsecond)
	departed := func(ctx context.Context, d models.Departure, left int) { p.rooms.Departed(ctx, d, left) }
	var err error
	p.presence, err = redis.NewPresence(redis.PresenceOptions{
		Client: p.client, PodID: name, TTL: presenceTTL, Grace: presenceGrace, Logger: logger, Now: time.Now,
		Callbacks: redis.Callbacks{
			OnReaped: departed, OnLate: departed,
			OnRestored: func(ctx context.Context, u models.UserID, s models.SocketID, others int) {
				p.rooms.Restored(ctx, u, s, others)
			},
			OnForgotten: func(ctx context.Context, at time.Time) error { return p.rooms.Forgotten(ctx, at) },
			OnUntold:    func(ctx context.Context, untold []models.Untold) error { return p.rooms.Untold(ctx, untold) },
		},
	})
	if err != nil {
		return nil, err
	}
	p.marks = rooms.NewMarks(name, time.Now, pingInterval+pingTimeout, presenceTTL+recovery)
	p.hub, err = hub.New(hub.Options{
		PingInterval: pingInterval, PingTimeout: pingTimeout, Recovery: true,
		Marks:  p.marks,
		Bus:    p.bus(w.adapter, logger),
		Encode: handlers.EncodeEvent, MessageID: handlers.MessageIDs(func() {}), MadeAt: handlers.MadeAt, Logger: logger, Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	p.rooms = rooms.New(rooms.Options{
		Chats: store, Moves: store, Messages: store, Requests: store, Absences: store, IDs: store,
		Presence: p.presence, Census: nobody{}, Sessions: p.presence, Saved: store, Board: p.presence, Marks: p.marks, Hub: p.hub, Media: noFiles{}, Metrics: unmeasured{},
		Logger: logger, Now: time.Now,
		Limits: rooms.Limits{
			TextBytes: 1000, Files: 1, Participants: 100, NameBytes: 100, PresenceRoom: 100, Replay: 5000, ReplayGrace: 10 * time.Second,
			Recovery: recovery, RecoveryPatience: time.Second, ReloadPatience: 500 * time.Millisecond,
			ClaimPatience: 10 * time.Second, ClaimLease: 4 * time.Second, Unheard: pingInterval + pingTimeout,
			StoreTimeout: 15 * time.Second, PresenceTimeout: 5 * time.Second,
		},
	})
	p.hub.OnResumed(p.rooms.CatchUp)
	p.hub.OnAuthenticate(func(_ context.Context, d *hub.Door) (models.Identity, error) {
		token, _ := d.Token()
		user, _ := token.(string)
		return models.Identity{UserID: models.UserID(user)}, nil
	})
	p.hub.OnConnect(func(ctx context.Context, d *hub.Door) (hub.Welcome, error) {
		user := d.Identity().UserID
		backlog, err := p.rooms.Connect(ctx, user, d)
		return hub.Welcome{UserID: user, Backlog: backlog}, err
	})
	p.hub.OnDisconnect(p.rooms.Disconnect)
	p.http = &http.Server{Handler: p.hub.Handler(), ReadHeaderTimeout: 10 * time.Second}
	p.start()
	return p, nil
}

func (p *pod) start() {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.tasks.Go(func() { _ = p.presence.Run(ctx) })
	p.tasks.Go(func() { _ = p.rooms.Run(ctx) })
	p.tasks.Go(func() { _ = p.http.Serve(p.listener) })
	p.tasks.Go(func() {
		for p.hub.Start(ctx) != nil && ctx.Err() == nil {
			time.Sleep(time.Second)
		}
	})
}

// stop is SIGTERM.
func (p *pod) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	p.clients.mu.Lock()
	p.clients.refused = true // the balancer sees readiness
	p.clients.mu.Unlock()
	p.hub.Drain(ctx, 100, 50*time.Millisecond)
	p.requests.Wait()
	p.presence.Settle(ctx)
	if err := p.rooms.Farewell(ctx); err != nil {
		return errors.Join(err, p.close(ctx))
	}
	return p.close(ctx)
}

func (p *pod) close(ctx context.Context) error {
	var err error
	p.once.Do(func() {
		err = errors.Join(p.hub.Close(ctx), p.http.Close())
		p.cancel()
		p.tasks.Wait()
		err = errors.Join(err, p.presence.Close(ctx), p.client.Close())
	})
	if err != nil {
		return fmt.Errorf("pod %s: %w", p.name, err)
	}
	return nil
}

// cutOff says whether it was when the connection broke, or before others could
// know that it was back.
func (p *pod) cutOff(broke time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.cuts, func(o outage) bool {
		return broke.After(o.from.Add(-time.Second)) && broke.Before(o.to.Add(time.Second))
	})
}

// kill is kill -9: whatever the pod does from now on, nobody hears of it.
func (p *pod) kill() {
	p.killed.Store(true)
	p.die()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.close(ctx) // what is left of it ends in its own time
}

func (p *pod) die() {
	p.died.Do(func() {
		p.clients.refuse(true)
		p.redis.refuse(true)
		close(p.dead)
	})
}

// stored is called when the database has stored a message of the pod's.
func (p *pod) stored() {
	if p.armed.CompareAndSwap(true, false) {
		p.struck.Store(true)
		p.die()
	}
}

type nobody struct{}

func (nobody) LastOnline(models.UserID) (time.Time, bool) { return time.Time{}, false }

type noFiles struct{}

func (noFiles) Keep(context.Context, models.Upload) (string, error) {
	return "", errors.New("no files")
}
func (noFiles) Remove(context.Context, string) error { return nil }

type unmeasured struct{}

func (unmeasured) MessagesStored(int)   {}
func (unmeasured) MessagesReplayed(int) {}
func (unmeasured) Sent(time.Duration)   {}
func (unmeasured) Dropped(string)       {}

func (unmeasured) HeardBehind(time.Duration) {}
