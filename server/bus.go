package server

import (
	"context"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"parley/adapters/redis"
	"parley/adapters/socketio/cluster"
)

// othersThanParley says whether more pods listen than Parley has.
func othersThanParley(ctx context.Context, bus cluster.Bus, presence *redis.Presence) (bool, error) {
	all, err := bus.Pods(ctx)
	if err != nil {
		return false, err
	}
	ours, err := presence.Pods(ctx)
	return all > ours, err
}

// bus is how this pod speaks with the others about sockets.
func (s *Server) bus(client goredis.UniversalClient) (cluster.Bus, error) {
	switch s.cfg.Adapter {
	case AdapterRedis:
		return cluster.NewClassic(cluster.ClassicOptions{Client: client, Logger: s.log, Metrics: s.metrics}), nil
	case AdapterSharded:
		return cluster.NewSharded(cluster.ShardedOptions{Client: client, Logger: s.log, Metrics: s.metrics}), nil
	case AdapterStreams:
		return cluster.NewStreams(cluster.StreamsOptions{Client: client, Logger: s.log, Metrics: s.metrics}), nil
	}
	return nil, fmt.Errorf("SOCKETIO_ADAPTER: %q is not one of ours", s.cfg.Adapter)
}
