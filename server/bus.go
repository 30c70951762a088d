package server

import (
	"context"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"parley/adapters/cluster"
	"parley/adapters/redis"
	"parley/models"
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

// answered returns those of the sockets that another pod says it has; it fails
// where a pod does not answer.
func answered(ctx context.Context, bus cluster.Bus, ids []models.SocketID) ([]models.SocketID, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	var to cluster.Options
	for _, id := range ids {
		to.Rooms = append(to.Rooms, string(id)) // each socket is in a room of that name
	}
	sockets, err := bus.Sockets(ctx, to)
	if err != nil {
		return nil, err
	}
	have := make([]models.SocketID, len(sockets))
	for i, s := range sockets {
		have[i] = models.SocketID(s.ID)
	}
	return have, nil
}

// answerWithin is longer than the bus waits for a pod.
const answerWithin = 10 * time.Second

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
