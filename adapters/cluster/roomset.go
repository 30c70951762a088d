package cluster

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

// subscribeAtOnce bounds the channels in one SSUBSCRIBE.
const subscribeAtOnce = 500

// roomSet is which shard channels a subscription should have, and which it has.
type roomSet struct {
	// apart sends one command for each channel: a Redis Cluster refuses channels
	// of several slots in one.
	apart bool

	mu      sync.Mutex
	wanted  map[string]struct{}
	dirty   map[string]struct{}      // changed since follow last looked
	asked   map[string]struct{}      // what the session was told to have
	heard   map[string]struct{}      // and what Redis has confirmed
	pending map[string]chan struct{} // what is wanted and not heard; each closed when that ends
	leaving map[string]int           // unsubscriptions not confirmed yet
	poke    chan struct{}
}

func newRoomSet(apart bool) *roomSet {
	return &roomSet{
		apart: apart, wanted: map[string]struct{}{}, dirty: map[string]struct{}{}, pending: map[string]chan struct{}{},
		poke: make(chan struct{}, 1),
	}
}

// want adds a channel to the set, or takes it out.
func (r *roomSet) want(channel string, wanted bool) {
	r.mu.Lock()
	if wanted {
		r.wanted[channel] = struct{}{}
		if _, ok := r.heard[channel]; !ok {
			r.miss(channel)
		}
	} else {
		delete(r.wanted, channel)
		r.settle(channel)
	}
	r.dirty[channel] = struct{}{}
	r.mu.Unlock()
	select {
	case r.poke <- struct{}{}:
	default:
	}
}

// await returns once all channels wanted now have been subscribed, or are not
// wanted any more. What is wanted later is not waited for: while rooms open all
// the time, it would never end.
func (r *roomSet) await(ctx context.Context) error {
	r.mu.Lock()
	waiting := slices.Collect(maps.Values(r.pending))
	r.mu.Unlock()
	for _, done := range waiting {
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// complete says whether nothing is waited for.
func (r *roomSet) complete() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pending) == 0
}

// miss notes that the channel is wanted and not heard, settle that it is heard
// or not wanted any more; r.mu is held.
func (r *roomSet) miss(channel string) {
	if r.pending[channel] == nil {
		r.pending[channel] = make(chan struct{})
	}
}

func (r *roomSet) settle(channel string) {
	if done := r.pending[channel]; done != nil {
		close(done)
		delete(r.pending, channel)
	}
}

// begin subscribes to everything on a fresh connection and returns how many
// confirmations there will be.
func (r *roomSet) begin(ctx context.Context, ps *redis.PubSub, always []string) (n int, err error) {
	r.mu.Lock()
	clear(r.dirty)
	r.asked, r.heard, r.leaving = map[string]struct{}{}, map[string]struct{}{}, map[string]int{}
	all := append([]string(nil), always...)
	for c := range r.wanted {
		r.miss(c)
		all = append(all, c)
	}
	for _, c := range all {
		r.asked[c] = struct{}{}
	}
	r.mu.Unlock()
	return len(all), r.each(all, func(some ...string) error { return ps.SSubscribe(ctx, some...) })
}

func (r *roomSet) each(channels []string, do func(...string) error) error {
	step := subscribeAtOnce
	if r.apart {
		step = 1
	}
	for len(channels) > 0 {
		n := min(step, len(channels))
		if err := do(channels[:n]...); err != nil {
			return err
		}
		channels = channels[n:]
	}
	return nil
}

func (r *roomSet) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked, r.heard, r.leaving = nil, nil, nil
	for c := range r.wanted {
		r.miss(c)
	}
}

// follow carries changes out while the connection stands.
func (r *roomSet) follow(ctx context.Context, end context.CancelFunc, ps *redis.PubSub) {
	for {
		subscribe, unsubscribe := r.changes()
		if r.each(subscribe, func(some ...string) error { return ps.SSubscribe(asItIs, some...) }) != nil ||
			r.each(unsubscribe, func(some ...string) error { return ps.SUnsubscribe(asItIs, some...) }) != nil {
			end()
			return
		}
		select {
		case <-r.poke:
		case <-ctx.Done():
			return
		}
	}
}

func (r *roomSet) changes() (subscribe, unsubscribe []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked == nil {
		return nil, nil // the session has ended
	}
	for c := range r.dirty {
		_, wanted := r.wanted[c]
		_, asked := r.asked[c]
		switch {
		case wanted && !asked:
			r.asked[c] = struct{}{}
			subscribe = append(subscribe, c)
		case !wanted && asked:
			delete(r.asked, c)
			delete(r.heard, c)
			r.leaving[c]++
			unsubscribe = append(unsubscribe, c)
		}
	}
	clear(r.dirty)
	return subscribe, unsubscribe
}

// confirmed notes that Redis subscribed us; it is false where nobody asked.
func (r *roomSet) confirmed(channel string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, asked := r.asked[channel]
	_, heard := r.heard[channel]
	if heard {
		return false // twice: on another connection than we think
	}
	if asked && r.leaving[channel] == 0 {
		r.heard[channel] = struct{}{}
		r.settle(channel)
	}
	return true
}

// gone notes that Redis unsubscribed us; it is false where it did so unasked,
// because the slot has moved.
func (r *roomSet) gone(channel string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.leaving[channel]
	if n > 1 {
		r.leaving[channel] = n - 1
	} else {
		delete(r.leaving, channel)
	}
	return n > 0
}
