package cluster

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// shards is the subscription to shard channels. On one Redis it is the link's
// own subscriber; on a cluster there is one more for each server that holds a
// slot of ours, because a shard channel is only heard on its slot's server.
type shards struct {
	b       *sharded
	cluster *redis.ClusterClient // nil for one Redis
	rooms   *roomSet             // of the link's own subscriber

	mu       sync.Mutex
	wanted   map[string]struct{}
	dirty    map[string]struct{}
	homes    map[string]string // channel to server
	servers  map[string]*server
	missed   time.Time // since when channels were not heard that moved; zero for none
	moves    int       // how often a channel went from one server to another
	poke     chan struct{}
	assigned chan struct{} // closed when dirty has become empty
}

// server is the subscription to one server of a cluster.
type server struct {
	subscriber *subscriber
	channels   int
	ctx        context.Context // ends with its last channel
	cancel     context.CancelFunc
}

// reassignEvery is how often slots are looked up again.
const reassignEvery = 2 * time.Second

func newShards(b *sharded) *shards {
	s := &shards{
		b: b, wanted: map[string]struct{}{}, dirty: map[string]struct{}{}, homes: map[string]string{},
		servers: map[string]*server{}, poke: make(chan struct{}, 1), assigned: make(chan struct{}),
	}
	s.cluster, _ = b.client.(*redis.ClusterClient)
	s.rooms = newRoomSet(s.cluster != nil)
	sub := b.subscriber
	sub.rooms, sub.message, sub.resumed = s.rooms, b.receive, b.resumed
	sub.channels = []string{b.all}
	if s.cluster == nil {
		sub.channels = append(sub.channels, b.mine)
		return s
	}
	sub.home = func(ctx context.Context) (redis.UniversalClient, error) { return s.cluster.MasterForKey(ctx, b.all) }
	b.also = append(b.also, s.run)
	s.want(b.mine, true)
	return s
}

func (s *shards) want(channel string, wanted bool) {
	if s.cluster == nil {
		s.rooms.want(channel, wanted)
		return
	}
	s.mu.Lock()
	if wanted {
		s.wanted[channel] = struct{}{}
	} else {
		delete(s.wanted, channel)
	}
	s.dirty[channel] = struct{}{}
	s.mu.Unlock()
	s.again()
}

func (s *shards) again() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// await returns once every channel wanted is subscribed.
func (s *shards) await(ctx context.Context) error {
	for {
		sets, moves, assigned := s.sets()
		if assigned == nil {
			for _, r := range sets {
				if err := r.await(ctx); err != nil {
					return err
				}
			}
			s.mu.Lock()
			stayed := moves == s.moves
			s.mu.Unlock()
			if stayed {
				return nil
			}
			continue // what has moved is to be heard on another server
		}
		select {
		case <-assigned:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sets returns what is to be heard on each server, and how often a channel has
// moved between them; assigned is not nil where that is not settled yet, and is
// closed when it is.
func (s *shards) sets() (all []*roomSet, moves int, assigned <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.dirty) > 0 {
		return nil, 0, s.assigned
	}
	all = []*roomSet{s.rooms}
	for _, v := range s.servers {
		all = append(all, v.subscriber.rooms)
	}
	return all, s.moves, nil
}

// heard says whether every channel wanted is subscribed.
func (s *shards) heard() bool {
	sets, _, assigned := s.sets()
	return assigned == nil && !slices.ContainsFunc(sets, func(r *roomSet) bool { return !r.complete() })
}

// catchUp returns once what the servers have sent us has been dealt with; with an
// error where a channel was, or may have been, heard of none of them.
func (s *shards) catchUp(ctx context.Context) error {
	subscribers, moves, ok := s.settled()
	if !ok {
		return unavailable(errMoved)
	}
	errs := make([]error, len(subscribers))
	var all sync.WaitGroup
	for i, sub := range subscribers {
		all.Go(func() { errs[i] = sub.fence(ctx) })
	}
	all.Wait()
	if _, now, ok := s.settled(); !ok || now != moves {
		return unavailable(errMoved)
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// settled returns all subscribers; ok is false while channels are on their way from
// one to another.
func (s *shards) settled() (all []*subscriber, moves int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all = []*subscriber{s.b.subscriber}
	for _, v := range s.servers {
		all = append(all, v.subscriber)
	}
	return all, s.moves, s.missed.IsZero()
}

// ready says whether every server's subscription stands.
func (s *shards) ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cluster != nil && len(s.servers) == 0 {
		return false
	}
	for _, v := range s.servers {
		if !v.subscriber.ready.Load() {
			return false
		}
	}
	return true
}

// run keeps each channel with the server that holds its slot.
func (s *shards) run(ctx context.Context) {
	var workers sync.WaitGroup
	defer workers.Wait()
	tick := time.NewTicker(reassignEvery)
	defer tick.Stop()
	for {
		fresh, missing := s.assign(ctx)
		for _, v := range fresh {
			workers.Go(func() { v.subscriber.run(v.ctx) })
		}
		if missing {
			workers.Go(func() { s.catchUpWithMoved(ctx) })
		}
		select {
		case <-s.poke:
		case <-tick.C:
			s.mu.Lock()
			for c := range s.wanted {
				s.dirty[c] = struct{}{}
			}
			s.mu.Unlock()
		case <-ctx.Done():
			return
		}
	}
}

// assign moves what is dirty to where it belongs and returns the servers that
// are new, and whether channels went from one to another: the one may have gone
// silent before, and the other never does.
func (s *shards) assign(ctx context.Context) (fresh []*server, missing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.dirty) == 0 {
		return nil, false
	}
	asking := !s.missed.IsZero()
	for c := range s.dirty {
		address, node := "", (*redis.Client)(nil)
		if _, wanted := s.wanted[c]; wanted {
			var err error
			if node, err = s.cluster.MasterForKey(ctx, c); err != nil {
				continue // it stays dirty until the next tick
			}
			address = node.Options().Addr
		}
		delete(s.dirty, c)
		if home := s.homes[c]; home == address {
			continue
		} else if old := s.servers[home]; old != nil {
			if heard := old.subscriber.heardSince(); node != nil {
				s.moves++
				if !heard.IsZero() && (s.missed.IsZero() || heard.Before(s.missed)) {
					s.missed = heard
				}
			}
			old.subscriber.rooms.want(c, false)
			if old.channels--; old.channels == 0 {
				old.cancel()
				delete(s.servers, home)
			}
		}
		delete(s.homes, c)
		if node == nil {
			continue
		}
		v := s.servers[address]
		if v == nil {
			v = s.newServer(ctx, node)
			s.servers[address] = v
			fresh = append(fresh, v)
		}
		s.homes[c] = address
		v.channels++
		v.subscriber.rooms.want(c, true)
	}
	if len(s.dirty) == 0 {
		close(s.assigned)
		s.assigned = make(chan struct{})
	}
	return fresh, !asking && !s.missed.IsZero()
}

// catchUpWithMoved asks what channels missed on their way, once they are heard.
func (s *shards) catchUpWithMoved(ctx context.Context) {
	for {
		s.mu.Lock()
		moves := s.moves
		s.mu.Unlock()
		if s.await(ctx) != nil {
			return // the bus ends
		}
		s.mu.Lock()
		missed, stayed := s.missed, moves == s.moves
		s.mu.Unlock()
		if stayed {
			s.b.resumed(missed)
			s.mu.Lock()
			stayed = moves == s.moves
			if stayed {
				s.missed = time.Time{}
			}
			s.mu.Unlock()
		}
		if stayed {
			return
		}
	}
}

func (s *shards) newServer(ctx context.Context, node *redis.Client) *server {
	ctx, cancel := context.WithCancel(ctx)
	return &server{ctx: ctx, cancel: cancel, subscriber: &subscriber{
		client: node, log: s.b.log, now: s.b.now, rooms: newRoomSet(true),
		message: s.b.receive, resumed: s.b.resumed, subscribed: func() {},
		lost: func(ctx context.Context) {
			s.cluster.ReloadState(ctx)
			s.mu.Lock()
			for c := range s.wanted {
				s.dirty[c] = struct{}{}
			}
			s.mu.Unlock()
			s.again()
		},
	}}
}
