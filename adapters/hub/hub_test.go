package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/adapters/cluster"
	"parley/adapters/js"
	"parley/models"
)

func TestEmptyAudienceReachesNobody(t *testing.T) {
	t.Parallel()
	hub := &fakeHub{}
	p := newPod(t, func(o *Options) { o.Bus = hub.bus() }, chat).start()
	c := p.dial()
	c.connect("u")
	p.s.Emit(models.Audience{}, msg(chat, 1, "nobody"))
	p.s.Emit(models.Audience{ExceptUsers: []models.UserID{"x"}}, msg(chat, 2, "nobody"))
	p.s.EmitLocal(models.Audience{}, msg(chat, 3, "nobody"))
	if err := p.s.Join(context.Background(), models.Audience{}, "ffffffffffffffffffffffff"); err != nil {
		t.Error(err)
	}
	p.s.Emit(toChat(chat), msg(chat, 4, "all"))
	if got := c.message(); got != "all" {
		t.Errorf("got %q", got)
	}
	if len(hub.log) != 1 || !slices.Equal(hub.log[0].Rooms, []string{string(chat)}) || len(hub.log[0].Except) != 0 {
		t.Errorf("on the bus: %+v", hub.log)
	}
}

func TestAudience(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat).start()
	a, b, c := p.dial(), p.dial(), p.dial()
	idA := models.SocketID(a.connect("a"))
	b.connect("b")
	idC := models.SocketID(c.connect("c"))
	ev := func(n int) models.Event { return msg(chat, n, fmt.Sprint(n)) }
	p.s.Emit(models.Audience{Chats: []models.ChatID{chat}, Users: []models.UserID{"a"}, Sockets: []models.SocketID{idA}}, ev(1))
	p.s.Emit(models.Audience{Chats: []models.ChatID{chat}, ExceptUsers: []models.UserID{"b"}, ExceptSockets: []models.SocketID{idC}}, ev(2))
	p.s.Emit(models.Audience{Users: []models.UserID{"b"}, Sockets: []models.SocketID{idC}}, ev(3))
	p.s.Emit(toChat(chat), ev(4))
	for _, tc := range []struct {
		c    *client
		want []string
	}{{a, []string{"1", "2", "4"}}, {b, []string{"1", "3", "4"}}, {c, []string{"1", "3", "4"}}} {
		for _, want := range tc.want {
			if got := tc.c.message(); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
}

func TestRepeatedEmissionIsNotSentTwice(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat).start()
	c := p.dial()
	c.connect("u")
	p.s.Emit(toChat(chat), msg(chat, 1, "one"))
	p.s.EmitLocal(toChat(chat), msg(chat, 1, "one"))
	p.s.Emit(toChat(chat), msg(chat, 2, "two"))
	if a, b := c.message(), c.message(); a != "one" || b != "two" {
		t.Errorf("got %q, %q", a, b)
	}
	if n := p.counts.get(func() int { return p.counts.duplicate }); n != 1 {
		t.Errorf("%d duplicates counted", n)
	}
}

// What another pod says is sent on with its keys in their order, and known for
// what it is.
func TestMessageOfAnotherPod(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat).start()
	c := p.dial()
	c.connect("u")
	payload := js.Object{{Key: "_id", Value: "1"}, {Key: "z", Value: 1.0}, {Key: "content", Value: "one"}, {Key: "a", Value: []any{}}}
	said := cluster.Packet{Type: 2, Nsp: "/", Data: []any{"new_message", payload}}
	for range 2 {
		(&local{s: p.s}).Broadcast(said, cluster.Options{Rooms: []string{string(chat)}})
	}
	p.s.Emit(toChat(chat), msg(chat, 2, "two"))
	if got, want := c.next(), `42["new_message",{"_id":"1","z":1,"content":"one","a":[]}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := c.message(); got != "two" {
		t.Errorf("got %q", got)
	}
	if n := p.counts.get(func() int { return p.counts.duplicate }); n != 1 {
		t.Errorf("%d duplicates counted", n)
	}
}

func TestSeen(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat)
	p.s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
		d.Identify("u")
		d.Enter([]models.ChatID{chat})
		return Welcome{UserID: "u", Backlog: []models.Event{msg(chat, 9, "back")}}, nil
	})
	p.start()
	first := p.dial()
	first.connect("x")
	p.s.Emit(toChat(chat), msg(chat, 1, "before"))
	c := p.dial()
	id := c.connect("u")
	p.s.Emit(toChat(chat), msg(chat, 2, "while"))
	if a, b := c.message(), c.message(); a != "back" || b != "while" {
		t.Fatalf("got %q, %q", a, b)
	}
	c.close()
	eventually(t, "departure", func() bool { return len(p.departures()) == 1 })
	d := p.departures()[0]
	want := []models.MessageID{msg(chat, 2, "").Message.ID, msg(chat, 9, "").Message.ID}
	slices.Sort(d.Seen)
	if string(d.SocketID) != id || !slices.Equal(d.Seen, want) {
		t.Errorf("departure %+v, want seen %v", d, want)
	}
}

func TestTwoPods(t *testing.T) {
	t.Parallel()
	hub := &fakeHub{}
	busA := hub.bus()
	a := newPod(t, func(o *Options) { o.Bus = busA }, chat).start()
	b := newPod(t, func(o *Options) { o.Bus = hub.bus() }, chat).start()
	onA, onB := a.dial(), b.dial()
	onA.connect("a")
	idB := models.SocketID(onB.connect("b"))

	a.s.Emit(toChat(chat), msg(chat, 1, "hello"))
	if x, y := onA.message(), onB.message(); x != "hello" || y != "hello" {
		t.Errorf("got %q, %q", x, y)
	}
	other := models.ChatID("cccccccccccccccccccccccc")
	who := models.Audience{Users: []models.UserID{"b"}}
	if err := a.s.Join(context.Background(), who, other); err != nil || !b.s.InRoom(idB, other) {
		t.Errorf("join over pods: %v", err)
	}
	if err := a.s.Leave(context.Background(), who, other); err != nil || b.s.InRoom(idB, other) {
		t.Errorf("leave over pods: %v", err)
	}
	all, err := a.s.nsp.All().Fetch(context.Background())
	if n := len(all); n != 2 || err != nil {
		t.Errorf("fetched %d sockets, %v", n, err)
	}

	answers := make(chan [][]any, 1)
	go func() {
		all, err := a.s.nsp.All().Timeout(patience).EmitWithAck(context.Background(), "ask", 1)
		if err != nil {
			t.Error(err)
		}
		answers <- all
	}()
	for _, c := range []*client{onA, onB} {
		f := c.next()
		id := strings.TrimSuffix(strings.TrimPrefix(f, "42"), `["ask",1]`)
		c.send("43" + id + `["yes"]`)
	}
	if all := <-answers; len(all) != 2 {
		t.Errorf("answers %v", all)
	}

	b.s.nsp.OnServerEvent(func(args []any, ack func(any)) { ack(args[1]) })
	busA.ServerSideEmit(context.Background(), []any{"greet", "hi"}, func(all []any, err error) { answers <- [][]any{all} })
	if all := <-answers; len(all[0]) != 1 || all[0][0] != "hi" {
		t.Errorf("server side answers %v", all)
	}

	busA.fail = errors.New("no answer")
	if err := a.s.Join(context.Background(), who, other); models.CodeOf(err) != models.CodeUnavailable {
		t.Errorf("join without the others: %v", err)
	}
	if b.s.InRoom(idB, other) { // what they cannot be told now they are not told late
		t.Error("a join that has failed was done on the other pod")
	}
	if err := a.s.Ready(); models.CodeOf(err) != models.CodeUnavailable {
		t.Errorf("ready: %v", err)
	}
	busA.fail = nil
	a.s.nsp.All().Disconnect(false)
	for _, c := range []*client{onA, onB} {
		if f := c.next(); f != "41" {
			t.Errorf("got %q", f)
		}
	}
}

func TestBinaryFromPodsAndHere(t *testing.T) {
	t.Parallel()
	hub := &fakeHub{}
	a := newPod(t, func(o *Options) { o.Bus = hub.bus() }, chat).start()
	b := newPod(t, func(o *Options) { o.Bus = hub.bus() }, chat).start()
	onA, onB := a.dial(), b.dial()
	onA.connect("a")
	onB.connect("b")
	a.s.nsp.All().Emit("bin", []byte("xyz"))
	for _, c := range []*client{onA, onB} {
		if head, body := c.next(), c.next(); head != `451-["bin",{"_placeholder":true,"num":0}]` || body != "xyz" {
			t.Errorf("got %q %q", head, body)
		}
	}
}

func TestResumed(t *testing.T) {
	t.Parallel()
	hub := &fakeHub{}
	bus := hub.bus()
	p := newPod(t, func(o *Options) { o.Bus = bus }, chat)
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	asked, answer := make(chan time.Time), make(chan struct{})
	p.s.OnResumed(func(_ context.Context, since time.Time) error {
		asked <- since
		<-answer
		return nil
	})
	p.start()
	bus.local.Resumed(at(10))
	first := <-asked
	// Whatever breaks meanwhile is one more question, from when the first broke.
	for _, s := range []int64{20, 12, 15} {
		bus.local.Resumed(at(s))
	}
	answer <- struct{}{}
	second := <-asked
	if !first.Equal(at(10)) || !second.Equal(at(12)) {
		t.Errorf("asked since %v and %v", first, second)
	}
	answer <- struct{}{}
	bus.local.Resumed(at(30))
	if third := <-asked; !third.Equal(at(30)) {
		t.Errorf("asked since %v", third)
	}
	answer <- struct{}{}
}

// Nobody waits for what was missed when the pod ends.
func TestResumedEndsWithTheServer(t *testing.T) {
	t.Parallel()
	bus := (&fakeHub{}).bus()
	p := newPod(t, func(o *Options) { o.Bus = bus }, chat)
	asked, ended := make(chan struct{}), make(chan struct{})
	p.s.OnResumed(func(ctx context.Context, _ time.Time) error {
		close(asked)
		<-ctx.Done()
		close(ended)
		return ctx.Err()
	})
	p.start()
	bus.local.Resumed(time.Now())
	<-asked
	if err := p.s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	<-ended
}

// Concurrent broadcasts reach everybody, all of them, in one order, while
// sockets join and leave.
func TestBroadcastOrder(t *testing.T) {
	t.Parallel()
	const senders, each, readers = 4, 150, 6
	p := newPod(t, nil, chat).start()
	clients := make([]*client, readers)
	for i := range clients {
		clients[i] = p.dial()
		clients[i].connect(fmt.Sprint("u", i))
	}
	stop := make(chan struct{})
	var churn, send sync.WaitGroup
	churn.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			c, err := dialWS(p.http.URL, nil)
			if err == nil {
				c.t = t
				c.send(`40{"token":"churn"}`)
				_, _ = c.read()
				c.reset()
			}
		}
	})
	for s := range senders {
		send.Go(func() {
			for i := range each {
				p.s.Emit(toChat(chat), msg(chat, s*each+i+1, fmt.Sprintf("%d %d", s, i)))
			}
		})
	}
	orders := make([][]string, readers)
	var read sync.WaitGroup
	for i, c := range clients {
		read.Go(func() {
			for range senders * each {
				f, err := c.read()
				if err != nil {
					t.Error(err)
					return
				}
				text, _ := textOf(f)
				orders[i] = append(orders[i], text)
			}
		})
	}
	send.Wait()
	read.Wait()
	close(stop)
	churn.Wait()
	for i := range orders {
		if !slices.Equal(orders[i], orders[0]) {
			t.Errorf("reader %d saw another order", i)
		}
	}
	last := map[int]int{}
	for _, o := range orders[0] {
		var s, i int
		if _, err := fmt.Sscan(o, &s, &i); err != nil {
			t.Fatal(err)
		}
		if i != last[s] {
			t.Fatalf("sender %d: got %d, want %d", s, i, last[s])
		}
		last[s]++
	}
}

// What another pod says while it is looked up what it said before comes behind
// that; but not for ever, and not without bounds.
func TestWhatIsSaidWhileCatchingUpComesBehindIt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*detained)
		live   int // messages that come meanwhile
		want   []string
	}{
		"caught up":       {func(*detained) {}, 3, []string{"missed", "live 1", "live 2", "live 3"}},
		"takes too long":  {func(d *detained) { d.patience = 10 * time.Millisecond }, 1, []string{"live 1", "missed"}},
		"more than there": {func(d *detained) { d.limit = 2 }, 3, []string{"live 1", "live 2", "live 3", "missed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub := &fakeHub{}
			here, there := hub.bus(), hub.bus()
			p := newPod(t, func(o *Options) { o.Bus = here }, chat)
			tc.change(&p.s.detained)
			other := newPod(t, func(o *Options) { o.Bus = there }, chat).start()
			asked, answer := make(chan struct{}), make(chan struct{})
			p.s.OnResumed(func(context.Context, time.Time) error {
				close(asked)
				<-answer
				p.s.Retell(msg(chat, 100, "missed").Message, time.Now(), nil)
				return nil
			})
			p.start()
			c := p.dial()
			c.connect("u")
			here.local.Resumed(time.Unix(10, 0))
			<-asked
			for i := range tc.live {
				other.s.Emit(toChat(chat), msg(chat, i+1, fmt.Sprintf("live %d", i+1)))
			}
			late := tc.want[0] != "missed"
			var got []string
			for len(got) < len(tc.want) {
				if !late && len(got) == 0 || late && len(got) == tc.live {
					close(answer)
				}
				got = append(got, c.message())
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			// It is over: nothing waits any more.
			other.s.Emit(toChat(chat), msg(chat, 101, "after"))
			if got := c.message(); got != "after" {
				t.Errorf("got %q after it", got)
			}
		})
	}
}
