package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"parley/adapters/js"
)

// busOptions are what the suite needs of every bus.
type busOptions struct {
	client   redis.UniversalClient
	nsp      string
	timeout  time.Duration
	queueLen int
	metrics  Metrics
}

// flavours are the buses that must all behave the same.
var flavours = map[string]func(busOptions) Bus{
	"classic": func(o busOptions) Bus {
		return NewClassic(ClassicOptions{Client: o.client, Namespace: o.nsp, RequestTimeout: o.timeout, QueueLen: o.queueLen, Metrics: o.metrics})
	},
	"streams": func(o busOptions) Bus {
		return NewStreams(StreamsOptions{Client: o.client, Namespace: o.nsp, RequestTimeout: o.timeout, QueueLen: o.queueLen, Metrics: o.metrics})
	},
	"sharded": func(o busOptions) Bus {
		return NewSharded(ShardedOptions{Client: o.client, Namespace: o.nsp, RequestTimeout: o.timeout, QueueLen: o.queueLen, Metrics: o.metrics})
	},
}

// knows waits until a publisher has counted the pods.
func (p *pod) knows(t *testing.T, pods int64) {
	t.Helper()
	l := linkOf(p.Bus)
	waitFor(t, "the pods are counted", func() bool { return l.publisher.pods.Load() == pods })
}

func linkOf(bus Bus) *link {
	switch b := bus.(type) {
	case *classic:
		return b.link
	case *sharded:
		return b.link
	case *streams:
		return b.link
	}
	return nil
}

// pod is a bus with a pod behind it.
type pod struct {
	Bus
	local  *fakeLocal
	counts *counters
}

type world struct {
	t     *testing.T
	redis *redisServer
	make  func(busOptions) Bus
}

func (w world) pod(change ...func(*busOptions)) *pod {
	w.t.Helper()
	counts := &counters{}
	o := busOptions{client: w.redis.client(w.t), timeout: 10 * time.Second, metrics: counts}
	for _, c := range change {
		c(&o)
	}
	p := &pod{Bus: w.make(o), local: newFakeLocal(), counts: counts}
	if watcher, ok := p.Bus.(RoomWatcher); ok {
		for _, room := range []string{"r1", "room0", "room1", "room2"} {
			watcher.RoomOpened(room)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := p.Start(ctx, p.local); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { closeBus(w.t, p) })
	return p
}

func event(args ...any) Packet { return Packet{Type: 2, Data: args} }

func in(rooms ...string) Options { return Options{Rooms: rooms} }

// each runs a test against every flavour, on a Redis of its own.
func each(t *testing.T, test func(t *testing.T, w world)) {
	for name, make := range flavours {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, world{t, startRedis(t), make})
		})
	}
}

func TestEverythingArrivesInOrder(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		a, b, c := w.pod(), w.pod(), w.pod()
		a.Broadcast(event("all", 1), Options{})
		a.Broadcast(event("one", "ü"), in("r1"))
		a.Join(in("r1"), []string{"r2", "r3"})
		a.Broadcast(event("two"), in("r1", "r2"))
		a.Broadcast(event("except"), Options{Except: []string{"x"}})
		a.Leave(Options{Rooms: []string{"r1"}, Except: []string{"y"}}, []string{"r2"})
		a.Broadcast(event("both"), Options{Rooms: []string{"r1"}, Except: []string{"x", "y"}})
		a.Disconnect(in("r1"), true)
		a.Disconnect(Options{}, false)
		a.ServerSideEmit(context.Background(), []any{"hello", map[string]any{"n": 1.5}}, nil)
		want := []string{
			`broadcast [] [] ["all",1]`,
			`broadcast [r1] [] ["one","ü"]`,
			`join [r1] [] [r2 r3]`,
			`broadcast [r1 r2] [] ["two"]`,
			`broadcast [] [x] ["except"]`,
			`leave [r1] [y] [r2]`,
			`broadcast [r1] [x y] ["both"]`,
			`disconnect [r1] [] true`,
			`disconnect [] [] false`,
			`emit ["hello",{"n":1.5}]`,
		}
		b.local.told(t, want...)
		c.local.told(t, want...)
		if got := a.local.calls(); len(got) != 0 {
			t.Errorf("a pod heard itself: %q", got)
		}
	})
}

func TestBinaryAndNumbersSurvive(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		a, b := w.pod(), w.pod()
		yes := true
		flags := Flags{Volatile: true, Compress: &yes, Timeout: 1500 * time.Millisecond}
		a.Broadcast(event("x", []byte{0, 1, 255}, map[string]any{"b": []byte("hi"), "n": int64(1) << 40, "f": 0.1, "z": nil}), Options{Flags: flags})
		b.local.eventually(t, "a broadcast", func() bool { return len(b.local.packets) == 1 })
		p, o := b.local.packets[0], b.local.options[0]
		args := p.Data.([]any)
		if got, ok := args[1].([]byte); !ok || !bytes.Equal(got, []byte{0, 1, 255}) {
			t.Errorf("bytes became %#v", args[1])
		}
		m := js.Plain(args[2]).(map[string]any)
		if got, ok := m["b"].([]byte); !ok || string(got) != "hi" {
			t.Errorf("nested bytes became %#v", m["b"])
		}
		delete(m, "b")
		if got, err := json.Marshal(m); err != nil || string(got) != `{"f":0.1,"n":1099511627776,"z":null}` {
			t.Errorf("numbers became %s (%v)", got, err)
		}
		if f := o.Flags; !f.Volatile || f.Compress == nil || !*f.Compress || f.Timeout != flags.Timeout || p.Nsp != "/" || p.Type != 2 {
			t.Errorf("flags %+v, packet %+v", f, p)
		}
	})
}

func TestNamespacesAreApart(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		chat := func(o *busOptions) { o.nsp = "/chat" }
		a, b, other := w.pod(chat), w.pod(chat), w.pod()
		a.Broadcast(event("x"), Options{})
		a.Join(Options{}, []string{"r"})
		b.local.told(t, `broadcast [] [] ["x"]`, `join [] [] [r]`)
		if n, err := other.Pods(context.Background()); err != nil || n != 1 {
			t.Errorf("%d pods (%v) in the other namespace", n, err)
		}
		if got := other.local.calls(); len(got) != 0 {
			t.Errorf("heard from another namespace: %q", got)
		}
	})
}

func TestSocketsOfTheOthers(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		a, b, c := w.pod(), w.pod(), w.pod()
		ctx := context.Background()
		if got, err := a.Sockets(ctx, Options{}); err != nil || got == nil || len(got) != 0 {
			t.Fatalf("nobody there: %v, %v", got, err)
		}
		a.local.add(Socket{ID: "own", Rooms: []string{"own", "r1"}})
		b.local.add(Socket{ID: "s1", Rooms: []string{"s1", "r1"}, Data: map[string]any{"user": "u1"}, Handshake: map[string]any{"auth": map[string]any{"token": "t"}}})
		b.local.add(Socket{ID: "s2", Rooms: []string{"s2"}})
		c.local.add(Socket{ID: "s3", Rooms: []string{"s3", "r1"}})
		got, err := a.Sockets(ctx, in("r1"))
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(got, func(x, y Socket) int { return strings.Compare(x.ID, y.ID) })
		want := `[{"ID":"s1","Handshake":{"auth":{"token":"t"}},"Rooms":["s1","r1"],"Data":{"user":"u1"}},` +
			`{"ID":"s3","Handshake":{},"Rooms":["s3","r1"],"Data":{}}]`
		if text, _ := json.Marshal(got); string(text) != want {
			t.Errorf("\n got %s\nwant %s", text, want)
		}
		// What was enqueued before it has been carried out.
		for i := range 50 {
			room := fmt.Sprintf("new%d", i)
			a.Join(in("r1"), []string{room})
			got, err := a.Sockets(ctx, in(room))
			if err != nil || len(got) != 2 {
				t.Fatalf("after the join of %s: %v, %v", room, got, err)
			}
		}
	})
}

// A pod may take its time to know which of its sockets are meant. It is waited for,
// and hears what is published meanwhile.
func TestSocketsThatTakeTimeToKnow(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		a, b, c := w.pod(), w.pod(), w.pod()
		b.local.add(Socket{ID: "s1", Rooms: []string{"r1"}})
		c.local.add(Socket{ID: "s2", Rooms: []string{"r1"}})
		asked := make(chan func(), 1)
		b.local.answersLater = func(answer func()) {
			b.local.answersLater = nil // a question is between
			asked <- answer
		}
		found := make(chan []Socket, 1)
		go func() {
			all, err := a.Sockets(context.Background(), in("r1"))
			if err != nil {
				t.Error(err)
			}
			found <- all
		}()
		answer := <-asked
		a.Join(in("s1"), []string{"r2"})
		a.Join(in("r1"), []string{"r2"})
		if err := a.Settled(context.Background()); err != nil || len(b.local.are(in("r2"))) != 1 {
			t.Errorf("it was held up: %v", err)
		}
		select {
		case all := <-found:
			t.Errorf("found %v before it was known", all)
		default:
		}
		answer()
		if all := <-found; len(all) != 2 {
			t.Errorf("found %v", all)
		}
	})
}

func TestCatchUpMeansDealtWith(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		a, b := w.pod(), w.pod()
		ctx := context.Background()
		for i := range 20 {
			for range 10 {
				a.Broadcast(event("x"), Options{})
			}
			if err := a.Flush(ctx); err != nil {
				t.Fatal(err)
			}
			if err := b.CatchUp(ctx); err != nil {
				t.Fatal(err)
			}
			b.local.mu.Lock()
			got := len(b.local.packets)
			b.local.mu.Unlock()
			if want := 10 * (i + 1); got != want {
				t.Fatalf("caught up with %d of %d", got, want)
			}
		}
		hang := make(chan struct{})
		b.local.onBroadcast = func() { <-hang }
		a.Broadcast(event("x"), Options{})
		if err := a.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		brief, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		if err := b.CatchUp(brief); err == nil || brief.Err() == nil { // it gives up when it is to
			t.Error("caught up with what is not dealt with")
		}
		close(hang)
		if err := b.CatchUp(ctx); err != nil {
			t.Error(err)
		}
		w.redis.kill()
		waitFor(t, "the loss is noticed", func() bool { return b.Ready() != nil })
		if err := b.CatchUp(ctx); err == nil { // nor does it hang
			t.Error("caught up with what nobody hears")
		}
	})
}

func TestServerSideEmitWithAnswers(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		a := w.pod()
		type result struct {
			answers []any
			err     error
		}
		ask := func(args ...any) result {
			t.Helper()
			done := make(chan result, 2)
			a.ServerSideEmit(context.Background(), args, func(answers []any, err error) { done <- result{answers, err} })
			select {
			case r := <-done:
				return r
			case <-time.After(20 * time.Second):
				t.Fatal("never answered")
				return result{}
			}
		}
		if r := ask("alone"); r.err != nil || r.answers == nil || len(r.answers) != 0 {
			t.Fatalf("alone: %+v", r)
		}
		b, c := w.pod(), w.pod()
		b.local.onEmit = func(args []any, ack func(any)) { ack(args[1]) }
		c.local.onEmit = func(_ []any, ack func(any)) { go ack(map[string]any{"ok": true}) }
		r := ask("question", 7)
		if r.err != nil || len(r.answers) != 2 {
			t.Fatalf("two pods: %+v", r)
		}
		if got := text(r.answers); got != `[7,{"ok":true}]` && got != `[{"ok":true},7]` {
			t.Errorf("answers %s", got)
		}
		b.local.told(t, `emit ["question",7]`)
	})
}

func TestBroadcastWithAnswers(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		a, b, c := w.pod(), w.pod(), w.pod()
		for _, p := range []*pod{b, c} {
			p.local.onBroadcastWithAck = func(clients func(int), ack func([]any)) {
				clients(2)
				ack([]any{"yes", "more"})
				go ack([]any{[]byte{1, 2}})
			}
		}
		var mu sync.Mutex
		clients, answers := 0, []string{}
		a.BroadcastWithAck(event("hi", 1), in("r1"), func(n int) {
			mu.Lock()
			defer mu.Unlock()
			clients += n
		}, func(args []any) {
			mu.Lock()
			defer mu.Unlock()
			answers = append(answers, text(args))
		})
		waitFor(t, "four answers", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return clients == 4 && len(answers) == 4
		})
		slices.Sort(answers)
		want := []string{`["yes"]`, `["yes"]`, `[{"type":"Buffer","data":[1,2]}]`, `[{"type":"Buffer","data":[1,2]}]`}
		if !slices.Equal(answers, want) {
			t.Errorf("answers %q", answers)
		}
		b.local.told(t, `ack [r1] [] ["hi",1]`)
	})
}

func TestPodsAreCounted(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		a, b := w.pod(), w.pod()
		if n, err := a.Pods(context.Background()); err != nil || n != 2 {
			t.Fatalf("%d pods, %v", n, err)
		}
		closeBus(t, b)
		// Close returns once nobody counts on this pod any more.
		if n, err := a.Pods(context.Background()); err != nil || n != 1 {
			t.Fatalf("%d pods, %v, after one left", n, err)
		}
		if err := b.Ready(); err == nil {
			t.Error("ready after Close")
		}
	})
}

func TestRequestsEndWhereAPodVanished(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		a, b, c := w.pod(func(o *busOptions) { o.timeout = 3 * time.Second }), w.pod(), w.pod()
		b.local.add(Socket{ID: "s1", Rooms: []string{"s1"}})
		b.local.onEmit = func(_ []any, ack func(any)) { ack("b") }
		hang := make(chan struct{})
		defer close(hang)
		c.local.onSockets = func() { <-hang }
		if got, err := a.Sockets(context.Background(), Options{}); err == nil {
			t.Errorf("sockets of a pod that does not answer: %v", got)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		if got, err := a.Sockets(ctx, Options{}); err == nil {
			t.Errorf("sockets although the caller gave up: %v", got)
		}
		if a.Settled(ctx) == nil {
			t.Error("settled without the one that does not answer")
		}
		done := make(chan string, 2)
		a.ServerSideEmit(context.Background(), []any{"x"}, func(answers []any, err error) { done <- fmt.Sprint(text(answers), err != nil) })
		select {
		case got := <-done:
			if got != `["b"]true` {
				t.Errorf("got %s", got)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("never ended")
		}
	})
}

func TestRedisAwayAndBack(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		a, b, c := w.pod(), w.pod(), w.pod()
		a.Broadcast(event("before"), Options{})
		b.local.told(t, `broadcast [] [] ["before"]`)
		c.local.told(t, `broadcast [] [] ["before"]`)
		b.local.forget()
		c.local.forget()
		a.knows(t, 3)
		// The others may have it before its sender knows that Redis took it; killed
		// in between, Redis is told again.
		if err := a.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.redis.kill()
		killed := time.Now()
		waitFor(t, "the loss is noticed", func() bool { return a.Ready() != nil && b.Ready() != nil && c.Ready() != nil })
		started := time.Now()
		const n = 500
		var want []string
		for i := range n {
			a.Broadcast(event("away", i), in("r1"))
			want = append(want, fmt.Sprintf(`broadcast [r1] [] ["away",%d]`, i))
		}
		if took := time.Since(started); took > 2*time.Second {
			t.Errorf("%d broadcasts without Redis took %v", n, took)
		}
		if _, err := a.Sockets(context.Background(), Options{}); err == nil {
			t.Error("sockets without Redis")
		}
		if a.Settled(context.Background()) == nil {
			t.Error("settled without Redis")
		}
		w.redis.start()
		for _, p := range []*pod{b, c} {
			p.local.eventually(t, "all broadcasts", func() bool { return len(p.local.packets) >= n && len(p.local.resumed) > 0 })
			got := p.local.calls()
			got = slices.DeleteFunc(got, func(s string) bool { return s == "resumed" })
			if !slices.Equal(got, want) {
				t.Errorf("%d calls, not the %d broadcasts in their order", len(got), n)
			}
			p.local.mu.Lock()
			since := p.local.resumed
			p.local.mu.Unlock()
			if len(since) == 0 || since[0].After(killed) || killed.Sub(since[0]) > 10*time.Second {
				t.Errorf("resumed since %v, Redis was killed at %v", since, killed)
			}
		}
		waitFor(t, "everybody is ready", func() bool { return a.Ready() == nil && b.Ready() == nil && c.Ready() == nil })
		if a.counts.drops(reasonQueueFull) != 0 {
			t.Error("something was dropped")
		}
	})
}

func TestTheOldestGiveWay(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		a, b := w.pod(func(o *busOptions) { o.queueLen = 100 }), w.pod()
		a.knows(t, 2)
		w.redis.kill()
		waitFor(t, "the loss is noticed", func() bool { return a.Ready() != nil && b.Ready() != nil })
		for i := range 1000 {
			a.Broadcast(event("away", i), Options{})
		}
		w.redis.start()
		last := `broadcast [] [] ["away",999]`
		b.local.eventually(t, last, func() bool { return slices.Contains(b.local.record, last) })
		got := slices.DeleteFunc(b.local.calls(), func(s string) bool { return s == "resumed" })
		if len(got) != 100 || got[0] != `broadcast [] [] ["away",900]` {
			t.Errorf("%d arrived, the first was %s", len(got), got[0])
		}
		if n := a.counts.drops(reasonQueueFull); n != 900 {
			t.Errorf("%d drops counted", n)
		}
	})
}

func TestNothingIsLostUnderLoad(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		a, b, c := w.pod(), w.pod(), w.pod()
		const writers, each = 20, 500
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				for n := range each {
					a.Broadcast(event("load", i, n), in(fmt.Sprintf("room%d", i%3)))
				}
			})
		}
		wg.Wait()
		for _, p := range []*pod{b, c} {
			p.local.eventually(t, "everything", func() bool { return len(p.local.packets) >= writers*each })
			next := make([]float64, writers)
			p.local.mu.Lock()
			for _, packet := range p.local.packets {
				args := packet.Data.([]any)
				i, n := int(args[1].(float64)), args[2].(float64)
				if n != next[i] {
					t.Fatalf("writer %d: got %v where %v was next", i, n, next[i])
				}
				next[i]++
			}
			p.local.mu.Unlock()
		}
	})
}

func TestCloseFlushesAndEnds(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		a, b := w.pod(), w.pod()
		for i := range 1000 {
			a.Broadcast(event("last words", i), Options{})
		}
		closeBus(t, a)
		closeBus(t, a)
		b.local.eventually(t, "the last words", func() bool { return len(b.local.packets) == 1000 })
		a.Broadcast(event("after"), Options{})
		if got, err := a.Sockets(context.Background(), Options{}); err == nil {
			t.Errorf("sockets after Close: %v", got)
		}
		if a.Settled(context.Background()) == nil {
			t.Error("settled after Close")
		}
		a.ServerSideEmit(context.Background(), []any{"x"}, func(_ []any, err error) {
			if err == nil {
				t.Error("answers after Close")
			}
		})
	})
}

func TestCloseEndsWithoutRedis(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		a := w.pod()
		w.redis.kill()
		for range 10 {
			a.Broadcast(event("x"), Options{})
		}
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		started := time.Now()
		if err := a.Close(ctx); err == nil {
			t.Error("closed as if everything had been published")
		}
		if took := time.Since(started); took > 5*time.Second {
			t.Errorf("Close took %v", took)
		}
	})
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		w.redis.kill()
		bus := w.make(busOptions{client: w.redis.client(t)})
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		if err := bus.Start(ctx, newFakeLocal()); err == nil {
			t.Error("started without Redis")
		}
		closeBus(t, bus)
	})
}
