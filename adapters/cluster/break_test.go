package cluster

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestOnlyThePublisherBreaks cuts off every connection but the subscriptions,
// while messages flow: none may be lost, none may arrive twice.
func TestOnlyThePublisherBreaks(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		a, b := w.pod(), w.pod()
		killer := w.redis.client(t)
		const n = 5000
		for i := range n {
			a.Broadcast(event("x", i), Options{})
			if i%500 == 250 {
				_ = killer.Do(context.Background(), "client", "kill", "type", "normal", "skipme", "yes").Err()
			}
		}
		b.local.eventually(t, "everything", func() bool {
			return len(b.local.packets) > 0 && b.local.packets[len(b.local.packets)-1].Data.([]any)[1] == float64(n-1)
		})
		b.local.mu.Lock()
		defer b.local.mu.Unlock()
		for i, p := range b.local.packets {
			if got := p.Data.([]any)[1]; got != float64(i) {
				t.Fatalf("number %v arrived as number %d of %d", got, i, len(b.local.packets))
			}
		}
		if len(b.local.resumed) != 0 {
			t.Error("a subscription broke")
		}
	})
}

// TestEveryConnectionBreaks does so again and again under load. A stream loses
// nothing then; with pub/sub, what was published to nobody is what Resumed is
// about, but nothing may arrive twice or out of order.
func TestEveryConnectionBreaks(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		a, b := w.pod(), w.pod()
		a.knows(t, 2)
		killer := w.redis.client(t)
		want := map[*pod]int{} // how often they have to have resumed
		// Ready alone says little: nobody may have noticed the break yet.
		back := func() {
			for _, p := range []*pod{a, b} {
				p.local.eventually(t, "resumed", func() bool { return len(p.local.resumed) >= want[p] })
			}
			waitFor(t, "everybody is back", func() bool { return a.Ready() == nil && b.Ready() == nil })
		}
		const n = 3000
		for i := range n {
			a.Broadcast(event("x", i), Options{})
			if i%1000 == 500 {
				back() // from the break before: the messages since went on meanwhile
				for _, p := range []*pod{a, b} {
					p.local.mu.Lock()
					want[p] = len(p.local.resumed) + 1
					p.local.mu.Unlock()
				}
				for _, kind := range []string{"normal", "pubsub"} {
					waitFor(t, "the break", func() bool {
						return killer.Do(context.Background(), "client", "kill", "type", kind, "skipme", "yes").Err() == nil
					})
				}
			}
		}
		back()
		a.Broadcast(event("x", n), Options{}) // only now it is sure that b can hear the last one
		b.local.eventually(t, "the last one", func() bool {
			return len(b.local.packets) > 0 && b.local.packets[len(b.local.packets)-1].Data.([]any)[1] == float64(n)
		})
		b.local.mu.Lock()
		defer b.local.mu.Unlock()
		last := -1.0
		for _, p := range b.local.packets {
			got := p.Data.([]any)[1].(float64)
			if got <= last {
				t.Fatalf("%v after %v", got, last)
			}
			last = got
		}
		if _, ok := b.Bus.(*streams); ok && len(b.local.packets) != n+1 {
			t.Errorf("%d of %d arrived", len(b.local.packets), n+1)
		}
		if len(b.local.resumed) == 0 {
			t.Error("never resumed")
		}
	})
}

func TestJunkForPeers(t *testing.T) {
	for _, name := range []string{"sharded", "streams"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			junkForPeers(t, world{t, startRedis(t), flavours[name]})
		})
	}
}

func junkForPeers(t *testing.T, w world) {
	a, b := w.pod(), w.pod()
	b.local.add(Socket{ID: "s1", Rooms: []string{"s1", "r1"}})
	c := w.redis.client(t)
	ctx := context.Background()
	mine := ""
	switch bus := b.Bus.(type) {
	case *sharded:
		mine = bus.mine
	case *streams:
		mine = bus.mine
	}
	for _, s := range junk() {
		for _, channel := range []string{"socket.io#/#", "socket.io#/#r1#", mine} {
			if err := c.Publish(ctx, channel, s).Err(); err != nil {
				t.Fatal(err)
			}
			if err := c.SPublish(ctx, channel, s).Err(); err != nil {
				t.Fatal(err)
			}
		}
		for _, kind := range []string{"3", "7", "12", "x", ""} {
			values := []any{"uid", "u", "nsp", "/", "type", kind, "data", s, s, s}
			if err := c.XAdd(ctx, &redis.XAddArgs{Stream: "socket.io", Values: values}).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	a.Broadcast(event("still here"), Options{})
	want := `broadcast [] [] ["still here"]`
	b.local.eventually(t, want, func() bool { return len(b.local.record) > 0 && b.local.record[len(b.local.record)-1] == want })
	for _, call := range b.local.calls() {
		if strings.HasPrefix(call, "broadcast") && call != want {
			t.Errorf("junk got through: %s", call)
		}
	}
	if b.counts.drops(reasonUndecodable) == 0 || b.counts.drops(reasonTooDeep) == 0 {
		t.Errorf("counted %v", b.counts.dropped)
	}
	if got, err := a.Sockets(ctx, in("r1")); err != nil || len(got) != 1 {
		t.Errorf("sockets afterwards: %v, %v", got, err)
	}
}

func TestShardedHearsOnlyOpenRooms(t *testing.T) {
	w := world{t, startRedis(t), flavours["sharded"]}
	a, b := w.pod(), w.pod()
	rooms := b.Bus.(RoomWatcher)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	const private = "aaaaaaaaaaaaaaaaaaaa" // 20 characters, as socket ids have
	for i := range 100 {
		rooms.RoomOpened("opened and closed at once")
		rooms.RoomClosed("opened and closed at once")
		if i%10 == 0 {
			rooms.RoomOpened("kept")
		}
	}
	rooms.RoomOpened(private)
	if err := rooms.RoomsHeard(ctx); err != nil {
		t.Fatal(err)
	}
	for _, room := range []string{"never opened", "opened and closed at once", "kept", private} {
		a.Broadcast(event("x"), in(room))
	}
	a.Broadcast(event("end"), Options{})
	b.local.told(t, `broadcast [kept] [] ["x"]`, `broadcast [`+private+`] [] ["x"]`, `broadcast [] [] ["end"]`)
	if n, err := w.redis.client(t).Do(ctx, "pubsub", "shardnumsub", "socket.io#/#"+private+"#").Slice(); err != nil || n[1] != int64(0) {
		t.Errorf("subscribed to a socket's own room: %v, %v", n, err)
	}
	rooms.RoomClosed("kept")
	rooms.RoomOpened("another")
	waitFor(t, "the closed room is left", func() bool {
		n, err := w.redis.client(t).Do(ctx, "pubsub", "shardnumsub", "socket.io#/#kept#").Slice()
		return err == nil && n[1] == int64(0)
	})
	if b.local.resumed != nil {
		t.Error("the connection broke")
	}
}

// TestAStreamThatWasTrimmedIsNoticed: what is gone is what Resumed is about.
func TestAStreamThatWasTrimmedIsNoticed(t *testing.T) {
	w := world{t, startRedis(t), flavours["streams"]}
	a, b := w.pod(), w.pod()
	a.Broadcast(event("x"), Options{})
	b.local.told(t, `broadcast [] [] ["x"]`)
	c := w.redis.client(t)
	if err := c.Del(context.Background(), "socket.io").Err(); err != nil {
		t.Fatal(err)
	}
	if err := c.Do(context.Background(), "client", "kill", "type", "normal", "skipme", "yes").Err(); err != nil {
		t.Fatal(err)
	}
	b.local.eventually(t, "resumed", func() bool { return len(b.local.resumed) == 1 })
	a.Broadcast(event("y"), Options{})
	b.local.told(t, `broadcast [] [] ["x"]`, "resumed", `broadcast [] [] ["y"]`)
}
