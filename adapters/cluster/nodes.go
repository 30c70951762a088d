package cluster

import (
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/redis/go-redis/v9"
)

// nodes hides whether Redis is one server or a cluster of them.
type nodes struct {
	client redis.UniversalClient
	// home is what chooses the server of a cluster this pod publishes through.
	// It is always the same one, because order only holds on one link.
	home string
	// routed leaves it to the cluster client which server a command belongs to.
	routed bool
}

// publisher returns the client whose connections commands go through.
func (n nodes) publisher(ctx context.Context) (redis.UniversalClient, error) {
	c, ok := n.client.(*redis.ClusterClient)
	if !ok || n.routed {
		return n.client, nil
	}
	return c.MasterForKey(ctx, n.home)
}

// renew makes a cluster client look again who serves what.
func (n nodes) renew(ctx context.Context) {
	if c, ok := n.client.(*redis.ClusterClient); ok {
		c.ReloadState(ctx)
	}
}

// count sums the subscribers of channel over all servers, as Node does;
// subcommand is numsub or shardnumsub.
func (n nodes) count(ctx context.Context, subcommand, channel string) (int, error) {
	c, ok := n.client.(*redis.ClusterClient)
	if !ok {
		return countOf(n.client.Do(ctx, "pubsub", subcommand, channel))
	}
	var mu sync.Mutex
	total := 0
	add := func(ctx context.Context, node *redis.Client) error {
		k, err := countOf(node.Do(ctx, "pubsub", subcommand, channel))
		mu.Lock()
		total += k
		mu.Unlock()
		return err
	}
	if err := c.ForEachMaster(ctx, add); err != nil {
		return 0, err
	}
	// A replica that is down has no subscribers to miss.
	_ = c.ForEachSlave(ctx, add)
	return total, nil
}

// names calls the roll on all servers.
func (n nodes) names(ctx context.Context, r roll) (map[string]struct{}, error) {
	c, ok := n.client.(*redis.ClusterClient)
	if !ok {
		return r.of(n.client.Do(ctx, "pubsub", "channels", r.pattern()))
	}
	var mu sync.Mutex
	all := map[string]struct{}{}
	add := func(ctx context.Context, node *redis.Client) error {
		some, err := r.of(node.Do(ctx, "pubsub", "channels", r.pattern()))
		mu.Lock()
		maps.Copy(all, some)
		mu.Unlock()
		return err
	}
	if err := c.ForEachMaster(ctx, add); err != nil {
		return nil, err
	}
	_ = c.ForEachSlave(ctx, add)
	return all, nil
}

// countOf reads [channel, count].
func countOf(cmd *redis.Cmd) (int, error) {
	v, err := cmd.Result()
	if err != nil {
		return 0, err
	}
	switch v := v.(type) {
	case []any:
		if len(v) == 2 {
			if k, ok := v[1].(int64); ok {
				return int(k), nil
			}
		}
	case map[any]any: // RESP3 may answer with a map
		for _, k := range v {
			if k, ok := k.(int64); ok {
				return int(k), nil
			}
		}
	}
	return 0, errors.New("unexpected answer to PUBSUB NUMSUB")
}
