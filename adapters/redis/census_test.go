package redis

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	driver "github.com/redis/go-redis/v9"
)

func TestCensus(t *testing.T) {
	for name, start := range map[string]func(*testing.T) (*server, string){
		"one server": func(t *testing.T) (*server, string) { s := startServer(t); return s, s.url() },
		"a cluster": func(t *testing.T) (*server, string) {
			s := startCluster(t)
			return s, s.url() + "?cluster=true"
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, url := start(t)
			client := open(t, url)
			ctx, cancel := context.WithCancel(context.Background())
			var needed atomic.Bool
			var asked atomic.Int64
			c := NewCensus(CensusOptions{Client: client, Needed: func(context.Context) (bool, error) {
				asked.Add(1)
				return needed.Load(), nil
			}})
			for i := range 3000 { // more than one call sees
				client.Set(ctx, fmt.Sprint("other:", i), 1, 0)
			}
			client.SAdd(ctx, "user:ann:sockets", "a1")
			done := make(chan error, 1)
			go func() { done <- c.Run(ctx) }()

			// Asked for the third time, it has gone past two rounds.
			await(t, "rounds that must not be", func() bool { return asked.Load() >= 3 })
			if _, ok := c.LastOnline("ann"); ok {
				t.Error("a round although none was needed")
			}
			needed.Store(true)
			began := time.Now()
			await(t, "ann to be seen", func() bool { _, ok := c.LastOnline("ann"); return ok })
			first, _ := c.LastOnline("ann")
			if first.Before(began.Add(-time.Second)) || first.After(time.Now()) {
				t.Errorf("seen at %v, looked for from %v", first, began)
			}
			client.SAdd(ctx, "user:bob:sockets", "b1")
			await(t, "bob to be seen", func() bool { _, ok := c.LastOnline("bob"); return ok })
			await(t, "ann to be seen again", func() bool { at, _ := c.LastOnline("ann"); return at.After(first) })

			// Eve is only about to be let in by a Parley pod, Fred is on both.
			client.ZAdd(ctx, podsKey, driver.Z{Score: 1, Member: "pod-1"}, driver.Z{Score: 1, Member: "pod-2"})
			client.HSet(ctx, socketsKey("pod-2"), "e1", "eve", "f1", "fred")
			client.SAdd(ctx, "user:eve:sockets", "e1")
			client.SAdd(ctx, "user:fred:sockets", "f1", "f2")
			await(t, "fred to be seen", func() bool { _, ok := c.LastOnline("fred"); return ok })

			client.SRem(ctx, "user:ann:sockets", "a1")
			gone := time.Now()
			client.SAdd(ctx, "user:carl:sockets", "c1")
			await(t, "a round later", func() bool {
				at, ok := c.LastOnline("carl")
				return ok && at.After(gone)
			})
			if at, ok := c.LastOnline("ann"); !ok || at.After(gone) {
				t.Errorf("ann, gone at %v, seen at %v %v", gone, at, ok)
			}
			if _, ok := c.LastOnline("eve"); ok {
				t.Error("somebody nobody has served yet")
			}
			if _, ok := c.LastOnline("dora"); ok {
				t.Error("somebody who never was")
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}
