package cluster

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	batchLen   = 64
	batchBytes = 1 << 20

	// refreshEvery is how often the publisher counts the pods, so that it knows
	// how many to wait for after a break.
	refreshEvery = time.Second
	// regroupWait is how long it waits for them at most, and regroupFloor how
	// long at least where their number was not settled before the break.
	regroupWait  = hearWithin + backoffCeiling
	regroupFloor = backoffCeiling + 250*time.Millisecond
	regroupStep  = 25 * time.Millisecond
	settledAfter = 5 * time.Second
)

// publisher is the one goroutine that sends: what was queued leaves in that
// order, a batch at a time, and is sent again until Redis took it.
//
// Where a connection breaks in the middle of a batch, Redis may have taken a
// part of it. Our own subscription tells: what came back on it is not repeated.
type publisher struct {
	queue   *queue
	nodes   nodes
	log     *slog.Logger
	metrics Metrics
	drops   *drops
	kick    chan struct{} // wakes it out of a backoff

	// subcommand and channel count the pods.
	subcommand, channel string

	// roll names them, where a number is not enough.
	roll roll

	// listening says whether our own subscription lives, and which one it is:
	// where it broke, the other pods' most likely did too.
	listening func() (epoch int64, ready bool)

	// catchUp returns once our own subscription has heard what Redis has taken
	// so far, or cannot.
	catchUp func(ctx context.Context) error

	epoch   int64
	pods    atomic.Int64
	counted time.Time
	changed time.Time // when the number of pods was last seen to change

	watching atomic.Bool
	mu       sync.Mutex
	inflight []*outgoing
}

// heard is told of everything of ours the subscription hears.
func (p *publisher) heard(channel, payload string) {
	if !p.watching.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.inflight {
		if o.own && !o.echoed.Load() && o.payload == payload && o.channel == channel {
			o.echoed.Store(true)
			return
		}
	}
}

func (p *publisher) watch(batch []*outgoing) {
	p.mu.Lock()
	p.inflight = batch
	p.mu.Unlock()
	p.watching.Store(batch != nil)
}

// again makes it try at once: Redis was just heard.
func (p *publisher) again() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// run publishes until the queue was closed and is empty, or ctx has ended.
func (p *publisher) run(ctx context.Context) {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if epoch, ready := p.listening(); !ready || epoch != p.epoch {
			p.settle(ctx)
		}
		batch := p.queue.take(batchLen, batchBytes)
		if len(batch) == 0 {
			if p.queue.isClosed() {
				return
			}
			select {
			case <-p.queue.wake:
			case <-p.kick:
			case <-tick.C:
				p.refresh(ctx)
			case <-ctx.Done():
			}
			continue
		}
		p.watch(batch)
		left, err := p.publish(ctx, batch)
		if err == nil {
			p.watch(nil)
			p.queue.published(batch[len(batch)-1])
			continue
		}
		p.queue.putBack(left)
		p.log.Warn("cluster cannot publish", "error", err)
		if pause(ctx, backoffFloor, nil) == nil && p.settle(ctx) {
			if err := p.catchUp(ctx); err != nil {
				p.log.Debug("not known what Redis took before the break", "error", err)
			}
			p.log.Info("cluster publishes again")
		}
	}
}

func (p *publisher) refresh(ctx context.Context) {
	if n, err := p.nodes.count(ctx, p.subcommand, p.channel); err == nil {
		p.note(n)
	}
}

func (p *publisher) note(pods int) {
	now := time.Now()
	if p.pods.Swap(int64(pods)) != int64(pods) {
		p.changed = now
	}
	p.counted = now
}

// publish sends a batch and returns what has to be sent again.
func (p *publisher) publish(ctx context.Context, batch []*outgoing) (left []*outgoing, err error) {
	count, asks, calls := 0, time.Since(p.counted) >= refreshEvery, false
	for _, o := range batch {
		asks = asks || o.request != nil
		calls = calls || (o.request != nil && o.request.wantsNames())
	}
	node, err := p.nodes.publisher(ctx)
	if err != nil {
		return batch, err
	}
	pipe := node.Pipeline()
	var counter, caller *once
	var names map[string]struct{}
	if _, spread := p.nodes.client.(*redis.ClusterClient); spread {
		if asks {
			if count, err = p.nodes.count(ctx, p.subcommand, p.channel); err != nil {
				return batch, err
			}
		}
		if calls {
			if names, err = p.nodes.names(ctx, p.roll); err != nil {
				return batch, err
			}
		}
	} else {
		if asks {
			counter = newOnce(ctx, "pubsub", p.subcommand, p.channel)
			_ = pipe.Process(ctx, counter)
		}
		if calls {
			caller = newOnce(ctx, "pubsub", "channels", p.roll.pattern())
			_ = pipe.Process(ctx, caller)
		}
	}
	cmds := make([]*once, len(batch))
	for i, o := range batch {
		cmds[i] = newOnce(ctx, o.args...)
		_ = pipe.Process(ctx, cmds[i])
	}
	if _, err = pipe.Exec(ctx); err != nil && !isAnswer(err) {
		stamp(cmds, err)
	}
	var countErr error
	if counter != nil {
		count, countErr = countOf(counter.Cmd)
	}
	if asks && countErr == nil {
		p.note(count)
	}
	if caller != nil && countErr == nil {
		names, countErr = p.roll.of(caller.Cmd)
	}
	return p.sort(batch, cmds, count, names, countErr)
}

// stamp makes sure that a broken connection shows on some command: go-redis
// does so but for a few paths.
func stamp(cmds []*once, err error) {
	for _, c := range cmds {
		if c.Err() != nil {
			return
		}
	}
	for _, c := range cmds {
		c.SetErr(err)
	}
}

// sort tells what was published from what has to be sent again and from what
// Redis will never take.
func (p *publisher) sort(batch []*outgoing, cmds []*once, pods int, names map[string]struct{}, countErr error) (left []*outgoing, err error) {
	sent := 0
	for i, o := range batch {
		switch e := cmds[i].Err(); {
		case e == nil:
			sent++
			if o.request == nil {
				continue
			}
			if countErr != nil {
				o.request.fail(unavailable(countErr))
				continue
			}
			if o.request.wantsNames() {
				o.request.expectOf(names)
			} else {
				o.request.expect(pods - 1)
			}
		case isAnswer(e) && !isPassing(e):
			p.drops.count(reasonRefused, e)
			if o.request != nil {
				o.request.fail(unavailable(e))
			}
		default:
			left, err = append(left, o), e
		}
	}
	p.metrics.ClusterPublished(sent)
	return left, err
}

// settle returns once Redis answers and, where our own subscription broke, once
// it is back and as many pods listen as before, or were given the time to: what
// is published earlier reaches nobody. It is false where ctx has ended.
func (p *publisher) settle(ctx context.Context) bool {
	var b backoff
	var answered time.Time
	expected, floor := int(p.pods.Load()), p.floor()
	for !p.queue.finished() {
		n, err := p.nodes.count(ctx, p.subcommand, p.channel)
		if err != nil {
			answered = time.Time{}
			if pause(ctx, b.step(), p.kick) != nil {
				return false
			}
			p.nodes.renew(ctx)
			continue
		}
		p.note(n)
		if answered.IsZero() {
			answered = time.Now()
		}
		b.reset()
		epoch, ready := p.listening()
		passed := time.Since(answered)
		unbroken := ready && (epoch == p.epoch || p.epoch == 0)
		if unbroken || (ready && n >= expected && passed >= floor) || passed >= regroupWait {
			p.epoch = epoch
			return true
		}
		if pause(ctx, regroupStep, nil) != nil {
			return false
		}
	}
	return true
}

// floor is how long the pods are waited for at least. Whether their number was
// settled is known as far as they were counted: a break may be noticed late.
func (p *publisher) floor() time.Duration {
	if p.counted.Sub(p.changed) < settledAfter {
		return regroupFloor
	}
	return 0
}

// once is a command that go-redis must not repeat by itself: only we know
// whether it arrived.
type once struct{ *redis.Cmd }

func newOnce(ctx context.Context, args ...any) *once {
	c := redis.NewCmd(ctx, args...)
	// A cluster client sends what has the same channel or stream to the same
	// server, in order; for PUBLISH it would choose any.
	c.SetFirstKeyPos(1)
	return &once{c}
}

func (*once) NoRetry() bool { return true }

// isAnswer says whether Redis itself refused, as opposed to the connection.
func isAnswer(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer)
}

// isPassing says whether a refusal goes away by itself.
func isPassing(err error) bool {
	for _, prefix := range []string{"LOADING", "READONLY", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "BUSY", "MOVED", "ASK", "NOREPLICAS", "max number of clients"} {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	return false
}
