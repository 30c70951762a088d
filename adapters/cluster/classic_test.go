package cluster

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"parley/adapters/js"
)

func classicWorld(t *testing.T) world {
	return world{t, startRedis(t), flavours["classic"]}
}

func TestJunkOnEveryChannelIsCountedAndIgnored(t *testing.T) {
	w := classicWorld(t)
	a, b := w.pod(), w.pod()
	b.local.add(Socket{ID: "s1", Rooms: []string{"s1", "r1"}})
	c := w.redis.client(t)
	ctx := context.Background()
	uid := b.Bus.(*classic).uid
	n := 0
	for _, channel := range []string{"socket.io#/#", "socket.io#/#r1#", "socket.io#/#\xff#", "socket.io-request#/#", "socket.io-response#/#", "socket.io-response#/#" + uid + "#"} {
		for _, s := range junk() {
			if err := c.Publish(ctx, channel, s).Err(); err != nil {
				t.Fatal(err)
			}
			n++
		}
	}
	if err := c.Publish(ctx, "socket.io#/#", strings.Repeat("\xc0", 8<<20)).Err(); err != nil {
		t.Fatal(err)
	}
	a.Broadcast(event("still here"), Options{})
	want := `broadcast [] [] ["still here"]`
	b.local.eventually(t, want, func() bool { return len(b.local.record) > 0 && b.local.record[len(b.local.record)-1] == want })
	for _, call := range b.local.calls() {
		if strings.HasPrefix(call, "broadcast") && call != want {
			t.Errorf("junk got through: %s", call)
		}
	}
	for _, reason := range []string{reasonUndecodable, reasonTooDeep} {
		if got := b.counts.drops(reason); got == 0 {
			t.Errorf("nothing counted as %s", reason)
		}
	}
	if got, err := a.Sockets(ctx, in("r1")); err != nil || len(got) != 1 {
		t.Errorf("sockets afterwards: %v, %v", got, err)
	}
	if b.Ready() != nil {
		t.Error("not ready afterwards")
	}
}

func TestRoomsThisPodHasNotAreNotDecoded(t *testing.T) {
	bus := NewClassic(ClassicOptions{}).(*classic)
	defer closeBus(t, bus)
	local := indexedLocal{newFakeLocal()}
	local.add(Socket{ID: "s1", Rooms: []string{"s1", "a#b"}})
	bus.local, bus.index = local, local
	counts := &counters{}
	bus.drops.metrics = counts
	message := func(rooms ...string) string {
		b, err := js.AppendNotepack(nil, []any{"other", js.Object{{Key: "type", Value: 2}, {Key: "data", Value: []any{"x"}}, {Key: "nsp", Value: "/"}}, encodeOptions(in(rooms...), true)})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	bus.receive("socket.io#/#elsewhere#", "\xc1 not even MessagePack")
	if n := counts.drops(reasonUndecodable); n != 0 {
		t.Error("decoded for a room that is not here")
	}
	bus.receive("socket.io#/#elsewhere#", message("elsewhere"))
	bus.receive("socket.io#/#a#b#", message("a#b"))
	bus.receive("socket.io#/#", message("elsewhere", "s1"))
	local.told(t, `broadcast [a#b] [] ["x"]`, `broadcast [elsewhere s1] [] ["x"]`)
}

func TestMessagesOfOtherNamespacesAreIgnored(t *testing.T) {
	bus := NewClassic(ClassicOptions{}).(*classic)
	defer closeBus(t, bus)
	local := newFakeLocal()
	bus.local = local
	for _, nsp := range []any{"/other", js.Undefined{}, nil, "/"} {
		b, err := js.AppendNotepack(nil, []any{"other", js.Object{{Key: "type", Value: 2}, {Key: "data", Value: []any{"x"}}, {Key: "nsp", Value: nsp}}, encodeOptions(Options{}, true)})
		if err != nil {
			t.Fatal(err)
		}
		bus.receive("socket.io#/#", string(b))
	}
	if got := local.calls(); len(got) != 3 {
		t.Errorf("got %q", got)
	}
}

func TestRoomsOfTheOthers(t *testing.T) {
	w := classicWorld(t)
	a, b, c := w.pod(), w.pod(), w.pod()
	if got, err := a.Rooms(context.Background()); err != nil || len(got) != 0 {
		t.Fatalf("no rooms: %v, %v", got, err)
	}
	a.local.add(Socket{ID: "own", Rooms: []string{"own"}})
	b.local.add(Socket{ID: "s1", Rooms: []string{"s1", "r1"}})
	c.local.add(Socket{ID: "s2", Rooms: []string{"s2", "r1"}})
	got, err := a.Rooms(context.Background())
	if err != nil || len(got) != 3 {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestADeadConnectionIsNoticed stops Redis without closing its connections.
func TestADeadConnectionIsNoticed(t *testing.T) {
	w := classicWorld(t)
	a, b := w.pod(), w.pod()
	stopped := time.Now()
	if err := w.redis.cmd.Process.Signal(stopSignal); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the silence is noticed", func() bool { return a.Ready() != nil && b.Ready() != nil })
	if took := time.Since(stopped); took > 7*time.Second {
		t.Errorf("noticed after %v", took)
	}
	a.Broadcast(event("x"), Options{})
	if err := w.redis.cmd.Process.Signal(contSignal); err != nil {
		t.Fatal(err)
	}
	b.local.eventually(t, "resumed and the broadcast", func() bool { return len(b.local.packets) >= 1 && len(b.local.resumed) >= 1 })
}

// TestOneSubscriptionBreaks cuts one pod's subscription while the rest lives.
func TestOneSubscriptionBreaks(t *testing.T) {
	w := classicWorld(t)
	a, b := w.pod(), w.pod()
	a.knows(t, 2)
	killer := w.redis.client(t)
	if err := killer.Do(context.Background(), "client", "kill", "type", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*pod{a, b} {
		p.local.eventually(t, "resumed", func() bool { return len(p.local.resumed) == 1 })
		waitFor(t, "ready", func() bool { return p.Ready() == nil })
	}
	a.Broadcast(event("x"), Options{})
	b.local.told(t, "resumed", `broadcast [] [] ["x"]`)
}

// TestNobodySpinsWithoutRedis counts how often a pod knocks at a closed door.
func TestNobodySpinsWithoutRedis(t *testing.T) {
	w := classicWorld(t)
	dials := make(chan struct{}, 1<<16)
	client := redis.NewClient(&redis.Options{
		Addr: w.redis.addr(), MaxRetries: -1, DialerRetries: 1,
		OnConnect: func(context.Context, *redis.Conn) error { return nil },
		Dialer:    countingDialer(dials),
	})
	t.Cleanup(func() { _ = client.Close() })
	a := w.pod(func(o *busOptions) { o.client = client })
	w.redis.kill()
	a.Broadcast(event("x"), Options{})
	waitFor(t, "the loss is noticed", func() bool { return a.Ready() != nil })
	for len(dials) > 0 {
		<-dials
	}
	time.Sleep(3 * time.Second) // the time over which attempts are counted
	if n := len(dials); n > 30 {
		t.Errorf("%d attempts to connect in 3 s", n)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_ = a.Close(ctx)
}

func TestARequestNobodyCanHearFails(t *testing.T) {
	w := classicWorld(t)
	a := w.pod()
	// A permission that is missing does not hold up the queue.
	admin := w.redis.client(t)
	if err := admin.Do(context.Background(), "acl", "setuser", "default", "-publish").Err(); err != nil {
		t.Fatal(err)
	}
	a.Broadcast(event("x"), Options{})
	waitFor(t, "the refusal is counted", func() bool { return a.counts.drops(reasonRefused) == 1 })
	if _, err := a.Sockets(context.Background(), Options{}); err == nil {
		t.Error("sockets although requests are refused")
	}
}

func TestWhatCannotBeEncodedIsDropped(t *testing.T) {
	counts := &counters{}
	bus := NewClassic(ClassicOptions{Metrics: counts})
	defer closeBus(t, bus)
	loop := map[string]any{}
	loop["self"] = loop
	bus.Broadcast(event("x", loop), Options{})
	bus.Broadcast(event("x", func() {}), Options{})
	bus.ServerSideEmit(context.Background(), []any{"x", make(chan int)}, nil)
	if n := counts.drops(reasonUnencodable); n != 3 {
		t.Errorf("%d drops counted", n)
	}
}
