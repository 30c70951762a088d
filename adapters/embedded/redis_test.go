//go:build !noembed

package embedded_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"parley/adapters/embedded"
)

func startRedis(t *testing.T) *redis.Client {
	t.Helper()
	s, err := embedded.Redis(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	o, err := redis.ParseURL(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestKeysAge(t *testing.T) {
	c := startRedis(t)
	begin := time.Now()
	if err := c.Set(t.Context(), "short", 1, 300*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	if err := c.Set(t.Context(), "long", 1, time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	for c.Exists(t.Context(), "short").Val() == 1 {
		if time.Since(begin) > 5*time.Second {
			t.Fatal("the key never expired")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if d := time.Since(begin); d < 150*time.Millisecond {
		t.Errorf("expired after %v", d)
	}
	if left := c.PTTL(t.Context(), "long").Val(); left > time.Hour-100*time.Millisecond || left < time.Hour-10*time.Second {
		t.Errorf("PTTL %v", left)
	}
}

// TestRedisSpeaksWhatParleyUses runs each command the Redis adapters lean on.
func TestRedisSpeaksWhatParleyUses(t *testing.T) {
	c := startRedis(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	checks := map[string]func() error{
		"transaction": func() error {
			_, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.SAdd(ctx, "s", "a", "b")
				p.PExpire(ctx, "s", time.Minute)
				p.SCard(ctx, "s")
				return nil
			})
			return err
		},
		"script": func() error {
			s := redis.NewScript(`redis.call("SADD", KEYS[1], ARGV[1]); redis.call("PEXPIRE", KEYS[1], 5000); local t = redis.call("TIME"); return {redis.call("SCARD", KEYS[1]), t[1]}`)
			for range 2 { // EVALSHA misses, then hits
				if err := s.Run(ctx, c, []string{"k"}, "v").Err(); err != nil {
					return err
				}
			}
			return nil
		},
		"set px nx": func() error {
			return c.Do(ctx, "SET", "lease", "me", "PX", 1000, "NX").Err()
		},
		"set xx get keepttl": func() error {
			return c.Do(ctx, "SET", "lease2", "me", "PX", 1000).Err()
		},
		"zset": func() error {
			if err := c.ZAdd(ctx, "z", redis.Z{Score: 1, Member: "m"}).Err(); err != nil {
				return err
			}
			return c.ZRangeArgs(ctx, redis.ZRangeArgs{Key: "z", ByScore: true, Start: "-inf", Stop: "5", Count: 10}).Err()
		},
		"hash": func() error {
			if err := c.HSet(ctx, "h", "f", 1).Err(); err != nil {
				return err
			}
			return c.HGetAll(ctx, "h").Err()
		},
		"scan": func() error { return c.Scan(ctx, 0, "user:*", 100).Err() },
		"stream": func() error {
			if err := c.XAdd(ctx, &redis.XAddArgs{Stream: "x", MaxLen: 10, Approx: true, Values: []string{"a", "b"}}).Err(); err != nil {
				return err
			}
			if err := c.XRead(ctx, &redis.XReadArgs{Streams: []string{"x", "0"}, Count: 5, Block: 50 * time.Millisecond}).Err(); err != nil {
				return err
			}
			return c.XRange(ctx, "x", "-", "+").Err()
		},
		"info":           func() error { return c.Info(ctx, "server").Err() },
		"time":           func() error { return c.Time(ctx).Err() },
		"client setname": func() error { return c.Do(ctx, "CLIENT", "SETNAME", "x").Err() },
		"pubsub numsub":  func() error { return c.PubSubNumSub(ctx, "ch").Err() },
		"ssubscribe":     func() error { return c.SPublish(ctx, "ch", "x").Err() },
		"pubsub shardnumsub": func() error {
			return c.PubSubShardNumSub(ctx, "ch").Err()
		},
		"smismember": func() error { return c.SMIsMember(ctx, "s", "a", "z").Err() },
		"getdel":     func() error { _ = c.Set(ctx, "g", 1, 0).Err(); return c.GetDel(ctx, "g").Err() },
		"pexpire gt": func() error { return c.Do(ctx, "PEXPIRE", "s", 90000, "GT").Err() },
		"function":   func() error { return c.FunctionList(ctx, redis.FunctionListQuery{}).Err() },
	}
	missing := map[string]bool{ // known gaps of miniredis
		"ssubscribe": true, "pubsub shardnumsub": true, "function": true, "info": true,
	}
	for name, check := range checks {
		switch err := check(); {
		case err != nil && !missing[name]:
			t.Errorf("%s: %v", name, err)
		case err != nil:
			t.Logf("known gap: %s: %v", name, err)
		case missing[name]:
			t.Logf("works after all: %s", name)
		}
	}
	sub := c.PSubscribe(ctx, "socket.io#*")
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Publish(ctx, "socket.io#/#room#", "\x00\xffbytes").Err(); err != nil {
		t.Fatal(err)
	}
	m, err := sub.ReceiveMessage(ctx)
	if err != nil || m.Pattern != "socket.io#*" || m.Payload != "\x00\xffbytes" {
		t.Fatalf("%+v %v", m, err)
	}
	if err := sub.Subscribe(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	if _, err := sub.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	if n := c.PubSubNumSub(ctx, "one").Val()["one"]; n != 1 {
		t.Errorf("NUMSUB %d", n)
	}
}
