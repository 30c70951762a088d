package sim

import (
	"log/slog"
	"strings"
	"sync"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"

	"parley/adapters/cluster"
)

// adapters are what a world's pods may speak to each other by.
var adapters = []string{"classic", "streams", "sharded"}

func (p *pod) bus(adapter string, logger *slog.Logger) cluster.Bus {
	switch adapter {
	case "streams":
		return cluster.NewStreams(cluster.StreamsOptions{Client: p.client, Logger: logger})
	case "sharded":
		return cluster.NewSharded(cluster.ShardedOptions{Client: p.client, Logger: logger})
	default:
		return cluster.NewClassic(cluster.ClassicOptions{Client: p.client, Logger: logger})
	}
}

// shards is what miniredis does not have: channels that are subscribed to and
// published to on their shard, as on a Redis that is one shard.
type shards struct {
	mu        sync.Mutex
	listeners map[*server.Peer]map[string]bool
	line      []*server.Peer // in the order in which they came
}

func shardsOf(m *miniredis.Miniredis) {
	s := &shards{listeners: map[*server.Peer]map[string]bool{}}
	m.Server().SetPreHook(s.handle)
}

func (s *shards) handle(c *server.Peer, cmd string, args ...string) (handled bool) {
	switch {
	case cmd == "SSUBSCRIBE":
		s.change(c, "ssubscribe", args)
	case cmd == "SUNSUBSCRIBE":
		s.change(c, "sunsubscribe", args)
	case cmd == "SPUBLISH" && len(args) == 2:
		c.WriteInt(s.publish(args[0], args[1]))
	case cmd == "PUBSUB" && len(args) > 0 && strings.EqualFold(args[0], "shardnumsub"):
		c.WriteLen(2 * (len(args) - 1))
		for _, channel := range args[1:] {
			c.WriteBulk(channel)
			c.WriteInt(s.count(channel))
		}
	default:
		return false
	}
	return true
}

func (s *shards) change(c *server.Peer, how string, channels []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := s.listeners[c]
	if mine == nil {
		mine = map[string]bool{}
		s.listeners[c] = mine
		s.line = append(s.line, c)
		c.OnDisconnect(func() { s.leave(c) })
	}
	for _, channel := range channels {
		if how == "ssubscribe" {
			mine[channel] = true
		} else {
			delete(mine, channel)
		}
		c.Block(func(w *server.Writer) {
			w.WritePushLen(3)
			w.WriteBulk(how)
			w.WriteBulk(channel)
			w.WriteInt(len(mine))
		})
	}
}

func (s *shards) leave(c *server.Peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, c)
	for i, other := range s.line {
		if other == c {
			s.line = append(s.line[:i:i], s.line[i+1:]...)
			break
		}
	}
}

func (s *shards) publish(channel, payload string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.line {
		if !s.listeners[c][channel] {
			continue
		}
		n++
		c.Block(func(w *server.Writer) {
			w.WritePushLen(3)
			w.WriteBulk("smessage")
			w.WriteBulk(channel)
			w.WriteBulk(payload)
			w.Flush()
		})
	}
	return n
}

func (s *shards) count(channel string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, mine := range s.listeners {
		if mine[channel] {
			n++
		}
	}
	return n
}
