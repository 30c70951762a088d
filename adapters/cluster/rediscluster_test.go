package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisCluster is three masters that share the slots.
type redisCluster struct{ nodes []*redisServer }

func startCluster(t *testing.T) *redisCluster {
	t.Helper()
	ctx := context.Background()
	c := &redisCluster{}
	for range 3 { // no node dies here: one that is only slow must not count as dead
		c.nodes = append(c.nodes, startRedis(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "15000"))
	}
	for i, n := range c.nodes {
		client := n.client(t)
		from, to := i*16384/3, (i+1)*16384/3-1
		if err := client.Do(ctx, "cluster", "addslotsrange", from, to).Err(); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			if err := client.Do(ctx, "cluster", "meet", "127.0.0.1", c.nodes[0].port).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, n := range c.nodes {
		client := n.client(t)
		waitFor(t, "the cluster is whole", func() bool {
			info, err := client.ClusterInfo(ctx).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3") && strings.Contains(info, "cluster_slots_ok:16384")
		})
	}
	return c
}

func (c *redisCluster) client(t *testing.T) *redis.ClusterClient {
	t.Helper()
	var addrs []string
	for _, n := range c.nodes {
		addrs = append(addrs, n.addr())
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, DialTimeout: time.Second, ReadTimeout: time.Second})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestOnARedisCluster(t *testing.T) {
	c := startCluster(t)
	for name, make := range flavours {
		t.Run(name, func(t *testing.T) {
			w := world{t, c.nodes[0], make}
			start := func() *pod { return w.pod(func(o *busOptions) { o.client = c.client(t) }) }
			a, b, d := start(), start(), start()
			ctx := context.Background()
			if n, err := a.Pods(ctx); err != nil || n != 3 {
				t.Fatalf("%d pods, %v", n, err)
			}
			const n = 300
			for i := range n {
				a.Broadcast(event("x", i), in(fmt.Sprintf("room%d", i%3)))
			}
			a.Broadcast(event("all"), Options{})
			for _, p := range []*pod{b, d} {
				p.local.eventually(t, "everything", func() bool { return len(p.local.packets) == n+1 })
				for room := range 3 {
					var got, want []float64
					p.local.mu.Lock()
					for i, packet := range p.local.packets {
						if slices.Equal(p.local.options[i].Rooms, []string{fmt.Sprintf("room%d", room)}) {
							got = append(got, packet.Data.([]any)[1].(float64))
						}
					}
					p.local.mu.Unlock()
					for i := room; i < n; i += 3 {
						want = append(want, float64(i))
					}
					if !slices.Equal(got, want) {
						t.Errorf("room %d: %v", room, got)
					}
				}
			}
			b.local.add(Socket{ID: "s1", Rooms: []string{"s1", "r1"}})
			d.local.add(Socket{ID: "s2", Rooms: []string{"s2", "r1"}})
			a.Join(in("r1"), []string{"r2"})
			if err := a.Settled(ctx); err != nil || len(b.local.are(in("r2"))) != 1 || len(d.local.are(in("r2"))) != 1 {
				t.Errorf("settled before everybody joined: %v", err)
			}
			if got, err := a.Sockets(ctx, in("r2")); err != nil || len(got) != 2 {
				t.Errorf("sockets %v, %v", got, err)
			}
			if watcher, ok := b.Bus.(RoomWatcher); ok {
				for i := range 100 {
					watcher.RoomOpened(fmt.Sprintf("later%d", i))
				}
				if err := watcher.RoomsHeard(ctx); err != nil {
					t.Fatal(err)
				}
			}
			b.local.forget()
			for i := range 100 {
				a.Broadcast(event("later"), in(fmt.Sprintf("later%d", i)))
			}
			b.local.eventually(t, "all later rooms", func() bool { return len(b.local.packets) == 100 })
			if watcher, ok := b.Bus.(RoomWatcher); ok {
				for i := range 100 {
					watcher.RoomClosed(fmt.Sprintf("later%d", i))
				}
			}
			if len(b.local.resumed)+b.counts.drops(reasonUndecodable) != 0 {
				t.Error("something broke")
			}
		})
	}
}

// The server that held some rooms dies, another takes its slots: what was sent
// to them in between is asked for, though no subscription comes back.
func TestRoomsThatMoveToAnotherServerAreCaughtUpWith(t *testing.T) {
	c := startCluster(t)
	w := world{t, c.nodes[0], flavours["sharded"]}
	b := w.pod(func(o *busOptions) { o.client = c.client(t) })
	bus, ctx := b.Bus.(*sharded), context.Background()
	const rooms = 30
	for i := range rooms {
		bus.RoomOpened(fmt.Sprintf("room%d", i))
	}
	if err := bus.RoomsHeard(ctx); err != nil {
		t.Fatal(err)
	}
	home := func(channel string) string {
		node, err := bus.shards.cluster.MasterForKey(ctx, channel)
		if err != nil {
			t.Fatal(err)
		}
		return node.Options().Addr
	}
	// Not the one whose subscription breaks and says so itself.
	dies := slices.IndexFunc(c.nodes, func(n *redisServer) bool { return n.addr() != home(bus.all) && n.addr() != home(bus.mine) })
	heir := (dies + 1) % len(c.nodes)
	id := c.nodes[heir].client(t).Do(ctx, "cluster", "myid").Val()
	died := time.Now()
	c.nodes[dies].kill()
	for _, i := range []int{heir, len(c.nodes) - dies - heir} {
		pipe := c.nodes[i].client(t).Pipeline()
		for slot := dies * 16384 / 3; slot < (dies+1)*16384/3; slot++ {
			pipe.Do(ctx, "cluster", "setslot", slot, "node", id)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			t.Fatal(err)
		}
	}
	b.local.eventually(t, "the question what was missed", func() bool { return len(b.local.resumed) > 0 })
	b.local.mu.Lock()
	defer b.local.mu.Unlock()
	if since := b.local.resumed[0]; since.After(died) {
		t.Errorf("asked since %v after the server died", since.Sub(died))
	}
}
