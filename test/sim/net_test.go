package sim

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// link is one connection between two ends, each a net.Conn. It can be held, so
// that nothing arrives any more, and cut.
type link struct {
	latency time.Duration
	a, b    *end

	mu      sync.Mutex
	window  int // what may be on its way before a writer has to wait
	held    bool
	changed chan struct{} // closed when anything did; nil while nobody waits for that
}

// end is one side of a link.
type end struct {
	link *link
	peer *end
	// The rest is under link.mu. in is what was sent here.
	in       []chunk
	eof      bool  // the other side closed after what is in
	err      error // this side is over
	readBy   time.Time
	writeBy  time.Time
	inFlight int
}

type chunk struct {
	data []byte
	at   time.Time // when it arrives
}

// wide is the window of most links, narrow that of one whose reader is slow.
const (
	wide   = 1 << 20
	narrow = 2 << 10
)

func (l *link) open(window int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.window = window
	l.change()
}

func newLink(latency time.Duration) *link {
	l := &link{latency: latency, window: wide}
	l.a, l.b = &end{link: l}, &end{link: l}
	l.a.peer, l.b.peer = l.b, l.a
	return l
}

// change wakes all who wait; it needs mu.
func (l *link) change() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// next is closed at the next change; it needs mu.
func (l *link) next() <-chan struct{} {
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

// hold stops, or lets go on, what is under way in both directions.
func (l *link) hold(held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = held
	l.change()
}

// cut ends the link at once, as a reset does: what was under way is lost.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range []*end{l.a, l.b} {
		if e.err == nil {
			e.err = syscall.ECONNRESET
		}
		e.in = nil
	}
	l.change()
}

func (e *end) Read(p []byte) (int, error) {
	l := e.link
	for {
		l.mu.Lock()
		now := time.Now()
		var wait time.Duration = -1
		switch {
		case e.err != nil:
			l.mu.Unlock()
			return 0, e.err
		case !e.readBy.IsZero() && !e.readBy.After(now):
			l.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case l.held:
		case len(e.in) > 0 && !e.in[0].at.After(now):
			n := copy(p, e.in[0].data)
			e.inFlight -= n
			if e.in[0].data = e.in[0].data[n:]; len(e.in[0].data) == 0 {
				e.in = e.in[1:]
			}
			l.change()
			l.mu.Unlock()
			return n, nil
		case len(e.in) > 0:
			wait = e.in[0].at.Sub(now)
		case e.eof:
			l.mu.Unlock()
			return 0, io.EOF
		}
		if !e.readBy.IsZero() && (wait < 0 || e.readBy.Sub(now) < wait) {
			wait = e.readBy.Sub(now)
		}
		changed := l.next()
		l.mu.Unlock()
		pause(changed, wait)
	}
}

// pause waits for a change, and no longer than d where that is not negative.
func pause(changed <-chan struct{}, d time.Duration) {
	if d < 0 {
		<-changed
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-changed:
	case <-t.C:
	}
}

func (e *end) Write(p []byte) (int, error) {
	l := e.link
	for {
		l.mu.Lock()
		now := time.Now()
		switch {
		case e.err != nil:
			l.mu.Unlock()
			return 0, e.err
		case !e.writeBy.IsZero() && !e.writeBy.After(now):
			l.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case e.peer.err != nil && !l.held: // nobody is there
			l.mu.Unlock()
			return 0, syscall.EPIPE
		case e.peer.inFlight < l.window:
			e.peer.in = append(e.peer.in, chunk{append([]byte(nil), p...), now.Add(l.latency)})
			e.peer.inFlight += len(p)
			l.change()
			l.mu.Unlock()
			return len(p), nil
		}
		wait := time.Duration(-1)
		if !e.writeBy.IsZero() {
			wait = e.writeBy.Sub(now)
		}
		changed := l.next()
		l.mu.Unlock()
		pause(changed, wait)
	}
}

func (e *end) Close() error {
	l := e.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(e.err, net.ErrClosed) {
		return net.ErrClosed
	}
	e.err = net.ErrClosed
	e.peer.eof = true
	l.change()
	return nil
}

func (e *end) LocalAddr() net.Addr  { return addr{} }
func (e *end) RemoteAddr() net.Addr { return addr{} }

func (e *end) SetDeadline(t time.Time) error {
	return errors.Join(e.SetReadDeadline(t), e.SetWriteDeadline(t))
}

func (e *end) SetReadDeadline(t time.Time) error { return e.set(&e.readBy, t) }

func (e *end) SetWriteDeadline(t time.Time) error { return e.set(&e.writeBy, t) }

func (e *end) set(at *time.Time, t time.Time) error {
	e.link.mu.Lock()
	defer e.link.mu.Unlock()
	*at = t
	e.link.change()
	return nil
}

type addr struct{}

func (addr) Network() string { return "sim" }
func (addr) String() string  { return "10.0.0.1:1" }

// listener hands out the server's ends of links.
type listener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newListener() *listener {
	return &listener{conns: make(chan net.Conn, 1024), done: make(chan struct{})}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *listener) Addr() net.Addr { return addr{} }

// links are those of one kind, all of which a fault befalls at once.
type links struct {
	mu      sync.Mutex
	all     []*link
	held    bool
	refused bool
}

var errRefused = &net.OpError{Op: "dial", Net: "sim", Err: syscall.ECONNREFUSED}

// dial makes a link, in the state its kind is in.
func (s *links) dial(latency time.Duration) (*link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused {
		return nil, errRefused
	}
	l := newLink(latency)
	l.held = s.held
	s.all = append(s.all, l)
	return l, nil
}

func (s *links) hold(held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = held
	for _, l := range s.all {
		l.hold(held)
	}
}

// refuse cuts all links, and refuses new ones, until it is told otherwise.
func (s *links) refuse(refused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = refused
	if !refused {
		return
	}
	for _, l := range s.all {
		l.cut()
	}
	s.all = nil
}
