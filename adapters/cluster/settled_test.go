package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"parley/adapters/js"
)

func TestSettledMeansCarriedOut(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		a := w.pod()
		if err := a.Settled(context.Background()); err != nil {
			t.Fatalf("alone: %v", err)
		}
		b, c := w.pod(), w.pod()
		for _, p := range []*pod{b, c} {
			p.local.add(Socket{ID: "s", Rooms: []string{"s"}})
		}
		for i := range 50 {
			room := fmt.Sprintf("new%d", i)
			a.Join(in("s"), []string{room})
			if err := a.Settled(context.Background()); err != nil {
				t.Fatal(err)
			}
			for _, p := range []*pod{b, c} {
				if len(p.local.are(in(room))) != 1 {
					t.Fatalf("settled, but nobody has joined %s", room)
				}
			}
		}
	})
}

// busy holds a pod up in the middle of a broadcast until the test lets it go.
func busy(t *testing.T, by Bus, p *pod) (release func()) {
	t.Helper()
	held, hang := make(chan struct{}), make(chan struct{})
	p.local.onBroadcast = func() {
		p.local.onBroadcast = nil
		close(held)
		<-hang
	}
	by.Broadcast(event("busy"), Options{})
	<-held
	return sync.OnceFunc(func() { close(hang) })
}

// asked waits for the question in the stream and returns its id.
func asked(t *testing.T, w world) string {
	t.Helper()
	c := w.redis.client(t)
	var id string
	waitFor(t, "the question in the stream", func() bool {
		last, err := c.XRevRangeN(context.Background(), "socket.io", "+", "-", 1).Result()
		if err != nil || len(last) != 1 || last[0].Values["type"] != "7" {
			return false
		}
		data, err := js.ParseJSON(fmt.Sprint(last[0].Values["data"]))
		if err != nil {
			t.Fatal(err)
		}
		m, _ := js.Fields(data)
		id = fmt.Sprint(m["requestId"])
		return true
	})
	return id
}

// Who reads the stream need not be subscribed: a pod that starts, or whose
// subscription broke, answers and was not counted.
func TestSettledWaitsForThoseThatAreThere(t *testing.T) {
	w := world{t, startRedis(t), flavours["streams"]}
	a, b := w.pod(), w.pod()
	b.local.add(Socket{ID: "s", Rooms: []string{"s"}})
	release := busy(t, a, b)
	defer release()
	a.Join(in("s"), []string{"room"})
	done := make(chan error, 1)
	go func() { done <- a.Settled(context.Background()) }()
	id := asked(t, w)

	stranger := NewStreams(StreamsOptions{UID: "00000000000000ff"}).(*streams)
	answer, err := js.AppendMsgpack(nil, stranger.message(msgFetchAnswer, js.Object{{Key: "requestId", Value: id}, {Key: "sockets", Value: []any{}}}))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if n, err := w.redis.client(t).Publish(context.Background(), a.Bus.(*streams).mine, answer).Result(); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	_ = a.Bus.(*streams).subscriber.fence(context.Background()) // it has the strange answers
	select {
	case err := <-done:
		t.Fatalf("settled by the answer of another: %v", err)
	default:
	}
	release()
	if err := <-done; err != nil || len(b.local.are(in("room"))) != 1 {
		t.Errorf("settled: %v, %v", err, b.local.calls())
	}
}

func TestAPodThatLeavesAnswersFirst(t *testing.T) {
	w := world{t, startRedis(t), flavours["streams"]}
	a, b := w.pod(), w.pod()
	release := busy(t, a, b)
	defer release()
	done := make(chan error, 1)
	go func() { done <- a.Settled(context.Background()) }()
	asked(t, w)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		closeBus(t, b)
	}()
	c := w.redis.client(t)
	waitFor(t, "its channels are gone", func() bool {
		names, err := c.PubSubChannels(context.Background(), b.Bus.(*streams).mine).Result()
		return err == nil && len(names) == 0
	})
	release()
	if err := <-done; err != nil {
		t.Errorf("a pod that was asked left without a word: %v", err)
	}
	<-closed
}

// opener is a pod that hears of a room once it has somebody in it.
type opener struct {
	*fakeLocal
	watcher RoomWatcher
}

func (o opener) Join(opts Options, rooms []string) {
	for _, r := range rooms {
		o.watcher.RoomOpened(r)
	}
	o.fakeLocal.Join(opts, rooms)
}

func TestWhoHasJoinedHearsWhatFollows(t *testing.T) {
	w := world{t, startRedis(t), flavours["sharded"]}
	a := w.pod()
	bus := w.make(busOptions{client: w.redis.client(t), timeout: 10 * time.Second})
	l := opener{newFakeLocal(), bus.(RoomWatcher)}
	l.add(Socket{ID: "s", Rooms: []string{"s"}})
	if err := bus.Start(context.Background(), l); err != nil {
		t.Fatal(err)
	}
	defer closeBus(t, bus)
	const n = 500
	for i := range n {
		room := fmt.Sprintf("chat%d", i)
		a.Join(in("s"), []string{room})
		if err := a.Settled(context.Background()); err != nil {
			t.Fatal(err)
		}
		a.Broadcast(event("x", i), in(room))
	}
	a.Broadcast(event("end"), Options{})
	l.eventually(t, "the end", func() bool {
		k := len(l.packets)
		return k > 0 && l.packets[k-1].Data.([]any)[0] == "end"
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if got := len(l.packets) - 1; got != n {
		t.Errorf("%d of %d were lost", n-got, n)
	}
}

func TestAnswersOfOnePodCountOnce(t *testing.T) {
	var got []any
	r := &request{expected: -1, done: func(answers []any, _ error) { got = answers }}
	r.expect(2)
	r.answer("one", "1")
	r.answer("one", "again")
	if got != nil {
		t.Fatalf("complete with %v", got)
	}
	r.answer("two", "2")
	if fmt.Sprint(got) != "[1 2]" {
		t.Errorf("complete with %v", got)
	}
}

// The connection breaks after Redis took a question and before it said how many
// were there to hear it.
func TestAQuestionNobodyCountedIsAskedAgain(t *testing.T) {
	q := newQueue(10, 1<<20, func(_ *outgoing, reason string) { t.Errorf("dropped: %s", reason) })
	var table requests
	n := 0
	ids := func() string { n++; return fmt.Sprint(n) }
	answers, err := table.gather(context.Background(), ids, time.Minute, func(r *request) error {
		o := &outgoing{request: r}
		o.echoed.Store(r.id == "1")
		q.push(o)
		for _, o := range q.take(10, 1<<20) {
			o.request.expect(1)
			o.request.answer("b", "heard "+o.request.id)
		}
		return nil
	})
	if err != nil || fmt.Sprint(answers) != "[heard 2]" {
		t.Errorf("%v, %v", answers, err)
	}
	if len(table.byID) != 0 {
		t.Errorf("%d questions are left", len(table.byID))
	}

	// What changes something is not asked twice, but waits for its answers.
	r := &request{expected: -1, done: func([]any, error) { t.Error("it is over") }}
	o := &outgoing{request: r}
	o.echoed.Store(true)
	q.push(o)
	q.take(10, 1<<20)

	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := table.gather(ended, ids, time.Minute, func(r *request) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("asked by nobody any more: %v", err)
	}
}

func TestRollNamesPeersAlone(t *testing.T) {
	r := roll{prefix: `so[c]k*#/#`, own: zeroID}
	if got, want := r.pattern(), `so\[c\]k\*#/#*#`; got != want {
		t.Errorf("pattern %s, want %s", got, want)
	}
}
