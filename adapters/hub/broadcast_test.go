package hub

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"parley/adapters/cluster"
	"parley/adapters/socketio"
	"parley/models"
)

// crowd is a pod with n sockets in one chat that read whatever they are sent.
func crowd(t testing.TB, n int, change ...func(*Options)) *Server {
	t.Helper()
	p := newPod(t, func(o *Options) {
		slowPings(o)
		o.Recovery, o.MaxBacklogBytes = true, 64<<20
		for _, fn := range change {
			fn(o)
		}
	}, chat)
	p.start()
	for i := range n {
		c, err := dialWS(p.http.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.t = t
		c.connect(fmt.Sprint(i))
		t.Cleanup(c.close)
		go func() { _, _ = io.Copy(io.Discard, c.raw) }()
	}
	eventually(t, "all to be in", func() bool { return len(p.s.connected(socketio.Audience{Rooms: []string{string(chat)}})) == n })
	return p.s
}

// Whoever is one more in a chat costs a pointer in a queue and a system call.
func TestARecipientCostsNoAllocation(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates") // the plain build is what counts here
	}
	const runs = 200
	id := 0
	cost := func(s *Server) float64 {
		for range 50 { // what grows once grows now
			id++
			s.EmitLocal(toChat(chat), msg(chat, id, "warm"))
		}
		return testing.AllocsPerRun(runs, func() {
			id++
			s.EmitLocal(toChat(chat), msg(chat, id, "hello"))
		})
	}
	few, many := cost(crowd(t, 2)), cost(crowd(t, 202))
	if each := (many - few) / 200; each > 0.05 {
		t.Errorf("%.1f allocations for 2, %.1f for 202: %.2f each", few, many, each)
	}
}

// queueingBus publishes on a goroutine of its own, as those that have a Redis do.
type queueingBus struct {
	alone
	queue chan struct{}
}

func (b queueingBus) Broadcast(cluster.Packet, cluster.Options) { b.queue <- struct{}{} }

// The other pods are told before this pod's sockets are written to, where one
// processor has to do both, too.
func TestTheOtherPodsAreToldFirst(t *testing.T) {
	const sockets, emits = 64, 30
	bus := queueingBus{queue: make(chan struct{}, 1)}
	s := crowd(t, sockets, func(o *Options) { o.Bus = bus })
	members := s.connected(socketio.Audience{Rooms: []string{string(chat)}})
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	unwritten := make(chan int)
	defer close(bus.queue)
	go func() {
		for range bus.queue {
			n := 0
			for _, m := range members {
				if m.session.Buffered() > 0 {
					n++
				}
			}
			unwritten <- n
		}
	}()
	first := 0
	for i := range emits {
		s.Emit(toChat(chat), msg(chat, 1000+i, "hello"))
		if <-unwritten == sockets {
			first++
		}
	}
	if first < emits*2/3 { // once in a while the scheduler has somebody else's turn
		t.Errorf("%d of %d times they were told first", first, emits)
	}
}

func BenchmarkBroadcast(b *testing.B) {
	for _, n := range []int{5, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := crowd(b, n)
			text, id := string(bytes.Repeat([]byte("x"), 200)), 0
			b.ReportAllocs()
			for b.Loop() {
				id++
				s.EmitLocal(toChat(chat), msg(chat, id, text))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/delivery")
		})
	}
}

// The index alone: no connections.
func BenchmarkIndex(b *testing.B) {
	const sockets, size = 10_000, 100
	x, now := newIndex(), time.Now()
	for i := range sockets {
		m := &member{id: fmt.Sprint(i), gate: &gate{}}
		x.add(m, now)
		x.join(m, fmt.Sprintf("room%d", i%(sockets/size)), now)
	}
	b.Run("pick", func(b *testing.B) {
		var picked []*member
		b.ReportAllocs()
		for b.Loop() {
			picked = x.pick(socketio.Audience{Rooms: []string{"room7"}}, picked[:0])
		}
		if len(picked) != size {
			b.Fatal(len(picked))
		}
	})
	b.Run("join and leave", func(b *testing.B) {
		m := x.find("5")
		b.ReportAllocs()
		for b.Loop() {
			x.join(m, "room8", now)
			x.leave(m, "room8")
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	for name, msgpack := range map[string]bool{"text": false, "msgpack": true} {
		b.Run(name, func(b *testing.B) {
			s, err := New(Options{Encode: encode, MessageID: messageID, Msgpack: msgpack, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			var ev models.Event = msg(chat, 1, "hello")
			b.ReportAllocs()
			for b.Loop() {
				p, volatile := s.event(ev)
				if _, ok := s.encode(p, volatile); !ok {
					b.Fatal("not encoded")
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	d := socketio.JSON().NewDecoder(socketio.DecoderLimits{Attached: 1 << 20})
	packet := []byte(`21["typing",{"chatId":"0123456789abcdef01234567","isTyping":true}]`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Add(packet, false); err != nil {
			b.Fatal(err)
		}
	}
}
