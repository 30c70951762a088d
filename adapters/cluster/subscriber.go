package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"parley/adapters/js"
)

// A dead subscription is noticed within hearWithin: pings keep a live one from
// being silent that long.
const (
	pingEvery  = 1500 * time.Millisecond
	hearWithin = 4 * time.Second
	// maxEarly bounds what is kept of messages that come while subscribing.
	maxEarly = 1 << 16
)

var (
	errNotSubscribed = errors.New("not subscribed")
	errReplaced      = errors.New("the connection was replaced")
	errMoved         = errors.New("the channel moved to another server")
)

// asItIs is for those who use a subscription's connection: go-redis must not dial
// anew in their name, which a context that is over keeps it from. It would hold a
// lock over that, for which all others wait that use the connection, and what was
// published meanwhile would be missed behind our back.
var asItIs = over()

func over() context.Context {
	ctx, end := context.WithCancel(context.Background())
	end()
	return ctx
}

// subscriber is the one goroutine that listens. It subscribes, hands on what it
// hears in the order it came, and starts over where the connection breaks.
type subscriber struct {
	client redis.UniversalClient
	log    *slog.Logger
	now    func() time.Time

	// home, where it is set, finds the server to subscribe on for each session.
	home func(ctx context.Context) (redis.UniversalClient, error)
	// lost, where it is set, is called after each session.
	lost func(ctx context.Context)

	channels, patterns []string
	rooms              *roomSet // nil where channels do not come and go

	// All three are called from the goroutine of run.
	message func(channel, payload string)
	resumed func(since time.Time)
	// subscribed is called after each successful start.
	subscribed func()

	ready atomic.Bool
	epoch atomic.Int64 // how many subscriptions there have been

	mu sync.Mutex
	// heardAt is a moment up to which nothing was missed: a ping sent then was
	// answered, and Redis keeps the order of what it sends on one connection.
	heardAt time.Time
	current *redis.PubSub
	quiet   chan struct{} // closed once the channel leaving is unsubscribed
	leaving string
	fences  map[string]chan error // of one place each
	fenceNo int
}

// run subscribes again and again until ctx has ended.
func (s *subscriber) run(ctx context.Context) {
	var b backoff
	for ctx.Err() == nil {
		was, err := s.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if was {
			b.reset()
		}
		s.log.Warn("cluster subscription lost", "error", err)
		if s.lost != nil {
			s.lost(ctx)
		}
		if pause(ctx, b.step(), nil) != nil {
			return
		}
	}
}

// session is one connection; was says whether it ever heard anything.
func (s *subscriber) session(parent context.Context) (was bool, err error) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	client := s.client
	if s.home != nil {
		if client, err = s.home(ctx); err != nil {
			return false, err
		}
	}
	asked := s.now()
	ps := client.Subscribe(ctx)
	// This dials: whoever closed it meanwhile would wait for that.
	waiting, err := s.ask(ctx, ps)
	if err != nil {
		_ = ps.Close()
		s.adopt(nil)
		return false, err
	}
	s.adopt(ps)
	var helpers sync.WaitGroup
	// Closing the connection is what ends a blocked read.
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		_ = ps.Close()
	})
	defer func() {
		s.ready.Store(false)
		s.adopt(nil)
		if stop() {
			_ = ps.Close()
		} else {
			<-closed
		}
		cancel()
		helpers.Wait()
	}()

	early, err := s.confirm(ps, waiting)
	if err != nil {
		return false, err
	}
	since := s.heardUpTo(asked)
	s.epoch.Add(1)
	if !since.IsZero() { // before anybody can take what follows for all there was
		s.log.Info("cluster subscription resumed", "since", since)
		s.resumed(since)
	}
	s.ready.Store(true)
	s.subscribed()
	for _, m := range early {
		s.message(m.Channel, m.Payload)
	}
	helpers.Go(func() { s.ping(ctx, cancel, ps) })
	if s.rooms != nil {
		helpers.Go(func() { s.rooms.follow(ctx, cancel, ps) })
	}
	for {
		got, err := ps.ReceiveTimeout(asItIs, hearWithin)
		if err != nil {
			return true, err
		}
		if err := s.heard(got); err != nil {
			return true, err
		}
	}
}

// heard handles one thing that came in; an error ends the session.
func (s *subscriber) heard(got any) error {
	switch got := got.(type) {
	case *redis.Message:
		s.message(got.Channel, got.Payload)
	case *redis.Pong:
		s.answered(got.Payload)
	case *redis.Subscription:
		switch got.Kind {
		case "subscribe", "psubscribe":
			return errReplaced // by go-redis, behind our back
		case "ssubscribe":
			if s.rooms == nil || !s.rooms.confirmed(got.Channel) {
				return errReplaced
			}
		case "unsubscribe", "sunsubscribe":
			if s.left(got.Channel) {
				return nil
			}
			if s.rooms != nil && !s.rooms.gone(got.Channel) {
				return errMoved
			}
		}
	}
	return nil
}

// ask subscribes to everything and returns how many confirmations there will be.
func (s *subscriber) ask(ctx context.Context, ps *redis.PubSub) (waiting int, err error) {
	if s.rooms != nil {
		return s.rooms.begin(ctx, ps, s.channels)
	}
	if err := ps.Subscribe(ctx, s.channels...); err != nil {
		return 0, err
	}
	if len(s.patterns) > 0 {
		err = ps.PSubscribe(asItIs, s.patterns...)
	}
	return len(s.channels) + len(s.patterns), err
}

// confirm returns once Redis has confirmed every subscription, with what was
// published meanwhile.
func (s *subscriber) confirm(ps *redis.PubSub, waiting int) (early []*redis.Message, err error) {
	for waiting > 0 {
		got, err := ps.ReceiveTimeout(asItIs, hearWithin)
		if err != nil {
			return nil, fmt.Errorf("subscribe: %w", err)
		}
		switch got := got.(type) {
		case *redis.Subscription:
			waiting--
			if s.rooms != nil {
				s.rooms.confirmed(got.Channel)
			}
		case *redis.Message:
			if len(early) == maxEarly {
				return nil, js.ErrTooLarge
			}
			early = append(early, got)
		}
	}
	return early, nil
}

// ping writes until ctx ends; answers are read by session. A ping that cannot
// be written ends it.
func (s *subscriber) ping(ctx context.Context, end context.CancelFunc, ps *redis.PubSub) {
	t := time.NewTicker(pingEvery)
	defer t.Stop()
	for {
		if err := ps.Ping(asItIs, strconv.FormatInt(s.now().UnixNano(), 10)); err != nil {
			end()
			return
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// heardUpTo notes that all up to t was heard, and returns up to when it had been.
func (s *subscriber) heardUpTo(t time.Time) (before time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, s.heardAt = s.heardAt, t
	return before
}

func (s *subscriber) heardSince() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heardAt
}

// answered takes the answer to a ping: when it was sent, or a fence's name. A
// time we cannot have sent is no answer of ours: all before it would count as
// heard.
func (s *subscriber) answered(payload string) {
	if ns, err := strconv.ParseInt(payload, 10, 64); err == nil {
		if at := time.Unix(0, ns); !at.After(s.now()) {
			s.heardUpTo(at)
		}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.fences[payload]; f != nil {
		f <- nil
		delete(s.fences, payload)
	}
}

// fence returns once everything Redis sent us until now has been handled; with an
// error where that cannot be told.
func (s *subscriber) fence(ctx context.Context) error {
	s.mu.Lock()
	ps := s.current
	if ps == nil || !s.ready.Load() {
		s.mu.Unlock()
		return unavailable(errNotSubscribed)
	}
	s.fenceNo++
	name, passed := "fence"+strconv.Itoa(s.fenceNo), make(chan error, 1)
	if s.fences == nil {
		s.fences = map[string]chan error{}
	}
	s.fences[name] = passed
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.fences, name)
	}()
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	if err := ps.Ping(asItIs, name); err != nil {
		return unavailable(err)
	}
	ctx, cancel := context.WithTimeout(ctx, hearWithin)
	defer cancel()
	select {
	case err := <-passed:
		if err != nil {
			return unavailable(err)
		}
		return nil
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
}

func (s *subscriber) adopt(ps *redis.PubSub) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = ps
	if ps != nil {
		return
	}
	if s.quiet != nil {
		close(s.quiet)
		s.quiet = nil
	}
	for name, f := range s.fences {
		f <- errReplaced
		delete(s.fences, name)
	}
	if s.rooms != nil {
		s.rooms.end()
	}
}

// leave unsubscribes from one channel and returns once Redis has confirmed it:
// from then on nobody expects answers of this pod. What came before is still
// heard and answered.
func (s *subscriber) leave(ctx context.Context, channel string) {
	s.mu.Lock()
	ps := s.current
	if ps == nil || !s.ready.Load() {
		s.mu.Unlock()
		return
	}
	quiet := make(chan struct{})
	s.quiet, s.leaving = quiet, channel
	s.mu.Unlock()
	unsubscribe := ps.Unsubscribe
	if s.rooms != nil {
		unsubscribe = ps.SUnsubscribe
	}
	if unsubscribe(asItIs, channel) == nil {
		_ = pause(ctx, hearWithin, quiet)
	}
}

// left says whether it was leave that unsubscribed from channel.
func (s *subscriber) left(channel string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving != channel {
		return false
	}
	if s.quiet != nil {
		close(s.quiet)
		s.quiet = nil
	}
	return true
}
