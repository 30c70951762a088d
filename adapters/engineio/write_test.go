package engineio

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A shared frame costs nothing for each recipient: no allocation, no goroutine.
func TestNoAllocationForARecipient(t *testing.T) {
	g := start(t, Options{}, handler{})
	w := g.openWire()
	s := g.session()
	go func() { _, _ = io.Copy(io.Discard, w.r) }()
	_ = w.SetDeadline(time.Time{})
	one, two := NewFrame([]byte(repeat(200)), false), NewFrame([]byte(repeat(10)), true)
	for name, push := range map[string]func() bool{
		"one": func() bool { return s.Push(one) }, "an event and its attachment": func() bool { return s.Push(one, two) },
		"eight": func() bool { return s.Push(one, two, one, two, one, two, one, two) },
	} {
		if n := testing.AllocsPerRun(200, func() {
			if !push() {
				t.Fatal("not pushed")
			}
			s.Flush()
		}); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if s.Buffered() > 0 || !s.Writable() {
		t.Fatal("the client has not kept up:", s.Buffered())
	}
}

// What is written is kept by nobody, however much there was at once.
func TestWrittenFramesAreForgotten(t *testing.T) {
	g := start(t, Options{}, handler{})
	w := g.openWire()
	s := g.session()
	for n := range 20 {
		for range n {
			s.Push(NewFrame([]byte("x"), false))
		}
		s.Flush()
		for range n {
			w.nexts(opText, "4x")
		}
		s.mu.Lock()
		q := &s.queue
		for _, frames := range [][]*Frame{q.room[0][:], q.room[1][:], q.frames[:cap(q.frames)], q.out[:cap(q.out)]} {
			if kept := slices.ContainsFunc(frames, func(f *Frame) bool { return f != nil }); kept || cap(frames) > keep {
				t.Errorf("after %d: frames are kept, %d have room", n, cap(frames))
			}
		}
		s.mu.Unlock()
	}
}

// Nothing is written under the locks of who pushes.
func TestPushWritesNothing(t *testing.T) {
	g := start(t, Options{}, handler{})
	w := g.openWire()
	s := g.session()
	s.Push(NewFrame([]byte("a"), false))
	_ = w.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	if b, err := w.r.ReadByte(); !isTimeout(err) {
		t.Fatal(b, err)
	}
	_ = w.SetReadDeadline(time.Now().Add(patience))
	s.Push(NewFrame([]byte("b"), false))
	s.Flush()
	w.nexts(opText, "4a")
	w.nexts(opText, "4b")
}

// Whoever pushes, each one's frames come in their order, none is lost or comes
// twice, and what was pushed together comes together.
func TestOrderUnderConcurrentPushes(t *testing.T) {
	for name, wrap := range map[string]func(net.Listener) net.Listener{"TCP": nil, "another connection": hidden} {
		t.Run(name, func(t *testing.T) {
			g := startOn(t, Options{PingInterval: time.Millisecond, MaxBacklog: 64 << 20}, handler{}, wrap)
			w := g.openWire()
			s := g.session()
			const pushers, each = 8, 300
			var all sync.WaitGroup
			for p := range pushers {
				all.Go(func() {
					for i := range each {
						head := fmt.Sprintf("%d:%d:", p, i)
						s.Push(NewFrame([]byte(head+"a"), false), NewFrame([]byte(head+"b"), true), NewFrame([]byte(head+repeat(rand.IntN(3000))), true))
						s.Flush()
					}
				})
			}
			next := map[int]int{}
			for range pushers * each {
				var part [3]string
				for i := range part {
					for part[i] = w.any(); part[i] == "2"; part[i] = w.any() {
						if i > 0 {
							t.Fatal("a ping amid what was pushed together")
						}
						w.send(masked(fin|opText, "3"))
					}
				}
				var p, i int
				if _, err := fmt.Sscanf(part[0], "4%d:%d:a", &p, &i); err != nil {
					t.Fatal(part[0], err)
				}
				head := fmt.Sprintf("%d:%d:", p, i)
				if i != next[p] || part[1] != head+"b" || !strings.HasPrefix(part[2], head) {
					t.Fatalf("%.20q %.20q %.20q where %d was due", part[0], part[1], part[2], next[p])
				}
				next[p]++
			}
			all.Wait()
		})
	}
}

func (w *wire) any() string { _, data := w.frame(); return data }

// hidden wraps connections so that they are no plain TCP connections.
func hidden(l net.Listener) net.Listener {
	return wrapped{l, func(c net.Conn) net.Conn { return struct{ net.Conn }{c} }}
}

// dressed wraps connections that are plain TCP connections within.
type dressed struct {
	*net.TCPConn
	nothing bool
}

func (d dressed) Plain() *net.TCPConn {
	if d.nothing {
		return nil
	}
	return d.TCPConn
}

func TestPlainConnectionsAreTakenOutOfTheirWrappers(t *testing.T) {
	for _, nothing := range []bool{false, true} {
		g := startOn(t, Options{}, handler{}, func(l net.Listener) net.Listener {
			return wrapped{l, func(c net.Conn) net.Conn { return dressed{c.(*net.TCPConn), nothing} }}
		})
		w := g.openWire()
		s := g.session()
		if s.socket.raw.isAbsent() != nothing {
			t.Error("its connection is hidden, or not:", nothing)
		}
		s.Push(NewFrame([]byte("x"), false))
		s.Flush()
		w.nexts(opText, "4x")
	}
}

type wrapped struct {
	net.Listener
	wrap func(net.Conn) net.Conn
}

func (l wrapped) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		c = l.wrap(c)
	}
	return c, err
}

// One that reads nothing costs no more than its backlog, and the others nothing.
func TestSlowReader(t *testing.T) {
	for name, wrap := range map[string]func(net.Listener) net.Listener{"TCP": nil, "another connection": hidden} {
		t.Run(name, func(t *testing.T) {
			g := startOn(t, Options{MaxBacklog: 1 << 20}, handler{}, wrap)
			slow := g.openWire()
			stuck := g.session()
			fast := g.openWire()
			other := g.session()
			f := NewFrame([]byte(repeat(64<<10)), false)
			pushed := 0
			for ; stuck.Push(f); pushed++ {
				if pushed > 2000 {
					t.Fatal("it is never cut off")
				}
				stuck.Flush()
				if stuck.Buffered() > 1<<20 {
					t.Fatal(stuck.Buffered())
				}
				other.Push(f)
				other.Flush()
				fast.nexts(opText, string(f.payload()))
			}
			e := g.endsWith(SlowClient)
			if e.session != stuck {
				t.Fatal("another was cut off")
			}
			// What the connection took and what it did not is everything, once.
			_ = slow.SetReadDeadline(time.Now().Add(patience))
			b, _ := io.ReadAll(slow.r)
			if whole := len(b) / len(f.wire); whole+len(e.unsent) != pushed {
				t.Fatalf("%d arrived, %d are unsent of %d", whole, len(e.unsent), pushed)
			}
		})
	}
}

func TestStuckForTooLong(t *testing.T) {
	g := start(t, Options{MaxBacklog: 64 << 20, IOTimeout: 100 * time.Millisecond}, handler{})
	w := g.openWire()
	s := g.session()
	_ = w.Conn.(*net.TCPConn).SetReadBuffer(4096)
	s.Push(NewFrame([]byte(repeat(16<<20)), false))
	s.Flush()
	if s.Writable() {
		t.Fatal("writable while the connection takes nothing")
	}
	if e := g.endsWith(SlowClient); e.err != errStuck || len(e.unsent) != 1 {
		t.Fatal(e.err, len(e.unsent))
	}
}

// A client that catches up gets everything, and its session goes on as before.
func TestCatchingUp(t *testing.T) {
	const limit = time.Second
	g := start(t, Options{MaxBacklog: 64 << 20, IOTimeout: limit}, handler{})
	w := g.openWire()
	s := g.session()
	var want []string
	var frames []*Frame // made before the first is written, from when on each has a limit
	for i := range 400 {
		text := fmt.Sprint(i, " ", repeat(i*200))
		want = append(want, "4"+text)
		frames = append(frames, NewFrame([]byte(text), false))
	}
	for _, f := range frames {
		s.Push(f)
		s.Flush()
	}
	for _, text := range want {
		w.nexts(opText, text)
	}
	eventually(t, "nothing waits", func() bool { return s.Buffered() == 0 && s.Writable() })
	time.Sleep(limit + 50*time.Millisecond) // beyond every deadline that is left
	f := NewFrame([]byte("x"), false)
	if n := testing.AllocsPerRun(100, func() { s.Push(f); s.Flush() }); n > 0 || !s.isOpen() {
		t.Fatal("it does not write straight any more:", n)
	}
	w.nexts(opText, "4x")
}

// dying takes so many bytes after the open packet, then breaks.
type dying struct {
	net.Conn
	mu   sync.Mutex
	left int
	got  bytes.Buffer
	on   bool
}

func (c *dying) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.on {
		return c.Conn.Write(b)
	}
	n := min(len(b), c.left)
	c.left -= n
	c.got.Write(b[:n])
	if n < len(b) {
		return n, io.ErrClosedPipe
	}
	return n, nil
}

// Wherever the connection breaks, what it took whole and what is unsent are
// everything that was pushed, in order, nothing twice.
func TestUnsentIsExact(t *testing.T) {
	var last *dying
	g := startOn(t, Options{}, handler{}, func(l net.Listener) net.Listener {
		return wrapped{l, func(c net.Conn) net.Conn { last = &dying{Conn: c}; return last }}
	})
	for round := range 200 {
		g.openWire()
		s := g.session()
		conn, ok := s.socket.conn.(*dying)
		if !ok {
			t.Fatal("not the connection of the test")
		}
		conn.mu.Lock()
		conn.left, conn.on = rand.IntN(3000), true
		conn.mu.Unlock()
		var pushed []*Frame
		for s.isOpen() && len(pushed) < 1000 {
			batch := make([]*Frame, 1+rand.IntN(3))
			for i := range batch {
				batch[i] = NewFrame([]byte(fmt.Sprint(len(pushed)+i, repeat(rand.IntN(200)))), i == 2)
			}
			if s.Push(batch...) {
				pushed = append(pushed, batch...)
			}
			if rand.IntN(2) == 0 {
				s.Flush()
			}
		}
		s.Flush()
		e := g.end()
		if e.reason != TransportError {
			t.Fatal(e.reason)
		}
		var whole int
		conn.mu.Lock()
		rest := conn.got.Bytes()
		for whole < len(pushed) && bytes.HasPrefix(rest, pushed[whole].wire) {
			rest = rest[len(pushed[whole].wire):]
			whole++
		}
		conn.mu.Unlock()
		if !slices.Equal(e.unsent, pushed[whole:]) {
			t.Fatalf("round %d: %d of %d arrived whole, %d are unsent", round, whole, len(pushed), len(e.unsent))
		}
	}
}

// held keeps one write until it is let go, whatever becomes of the connection.
type held struct {
	net.Conn
	on       atomic.Bool
	began    chan struct{}
	released chan struct{}
}

func (c *held) Write(b []byte) (int, error) {
	if !c.on.CompareAndSwap(true, false) {
		return c.Conn.Write(b)
	}
	c.began <- struct{}{}
	<-c.released
	return len(b), nil
}

// The end is told when the write that is under way has ended, so that it is known
// what became of it.
func TestTheEndAwaitsTheWriteUnderWay(t *testing.T) {
	var conn *held
	g := startOn(t, Options{}, handler{}, func(l net.Listener) net.Listener {
		return wrapped{l, func(c net.Conn) net.Conn {
			conn = &held{Conn: c, began: make(chan struct{}, 1), released: make(chan struct{})}
			return conn
		}}
	})
	g.openWire()
	s := g.session()
	conn.on.Store(true)
	s.Push(NewFrame([]byte("taken"), false))
	s.Flush()
	receive(t, conn.began, "write")
	s.Push(NewFrame([]byte("left"), false))
	s.Abort("mine")
	select {
	case <-g.ended:
		t.Fatal("told while the write is under way")
	case <-time.After(50 * time.Millisecond):
	}
	close(conn.released)
	if e := g.endsWith("mine"); fmt.Sprint(texts(e.unsent)) != "[left]" {
		t.Fatal(texts(e.unsent))
	}
}

// By polling too: what arrived in an answer and what is unsent are everything.
func TestUnsentOfAPollThatBreaks(t *testing.T) {
	g := start(t, Options{MaxBacklog: 64 << 20}, handler{})
	p := g.poll(v4)
	f := NewFrame([]byte(repeat(32<<20)), false) // more than the kernel keeps for a client that reads nothing
	p.session.Push(f)
	c, err := net.Dial("tcp", g.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = c.(*net.TCPConn).SetReadBuffer(4096)
	fmt.Fprintf(c, "GET /engine.io/?%s HTTP/1.1\r\nHost: x\r\n\r\n", p.query)
	if _, err := c.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	c.Close()
	if e := g.endsWith(TransportError); len(e.unsent) != 1 || e.unsent[0] != f {
		t.Fatal(len(e.unsent))
	}
}
