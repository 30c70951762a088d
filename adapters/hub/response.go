package hub

import (
	"bufio"
	"bytes"
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// response keeps an answer in memory until the request's own goroutine writes
// it out. The library answers polls from other goroutines and keeps the
// ResponseWriter of a WebSocket as long as the socket lives; the one we are
// given is pooled by the router, and drags net/http's buffers along.
type response struct {
	// header belongs to whoever answers, which may still be at it when the handler
	// returns because the client has gone.
	header http.Header

	mu     sync.Mutex
	inner  http.ResponseWriter // nil once the handler returned or the connection was taken
	status int                 // 0 until it was answered
	sealed http.Header         // header as it was then
	body   bytes.Buffer
	held   *heldConn
	isCut  bool
}

var errReturned = errors.New("hub: the handler has returned")

func newResponse(w http.ResponseWriter) *response {
	return &response{inner: w, header: http.Header{}}
}

func (r *response) Header() http.Header { return r.header }

func (r *response) WriteHeader(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seal(status)
}

// seal needs r.mu.
func (r *response) seal(status int) {
	if r.status == 0 && r.inner != nil {
		r.status, r.sealed = status, r.header.Clone()
	}
}

func (r *response) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inner == nil {
		return 0, errReturned
	}
	r.seal(http.StatusOK)
	return r.body.Write(p)
}

// Hijack gives the connection away; nothing is read from it until the handler
// has returned, because the library reads before it listens.
func (r *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inner == nil {
		return nil, nil, errReturned
	}
	conn, rw, err := http.NewResponseController(r.inner).Hijack()
	if err != nil {
		return nil, nil, err
	}
	held := &heldConn{Conn: conn, ready: make(chan struct{}), closed: make(chan struct{})}
	if n := rw.Reader.Buffered(); n > 0 {
		ahead, err := rw.Peek(n)
		if err != nil {
			return nil, nil, errors.Join(err, conn.Close())
		}
		held.ahead = bytes.Clone(ahead)
	}
	r.held, r.inner = held, nil
	return held, bufio.NewReadWriter(bufio.NewReaderSize(held, 16), bufio.NewWriterSize(held, 16)), nil
}

// cut makes the handler's read of the request's body fail, and has the
// connection closed in place of an answer, where it is this request's alone.
func (r *response) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inner == nil || r.status != 0 {
		return
	}
	r.isCut = http.NewResponseController(r.inner).SetReadDeadline(time.Unix(1, 0)) == nil
}

// finish writes the answer out, or lets the taken connection be read.
func (r *response) finish() {
	r.mu.Lock()
	w, isCut, held := r.inner, r.isCut, r.held
	if r.status == 0 {
		r.status = http.StatusOK // nobody answered: the client has gone
	}
	r.inner = nil // from here on nobody writes to what is read below
	r.mu.Unlock()
	switch {
	case held != nil:
		close(held.ready)
		return
	case isCut:
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
			return
		}
	}
	maps.Copy(w.Header(), r.sealed)
	// A client that does not take its answer is not waited for without end.
	ctl := http.NewResponseController(w)
	limited := ctl.SetWriteDeadline(time.Now().Add(pollIOTimeout)) == nil
	w.WriteHeader(r.status)
	_, err := w.Write(r.body.Bytes())
	if err == nil && limited {
		if err = ctl.Flush(); err == nil {
			_ = ctl.SetWriteDeadline(time.Time{})
		}
	}
}

// heldConn is a connection whose reads wait until it is ready, and that
// remembers whether a write failed: the library's transports do not tell.
type heldConn struct {
	net.Conn
	ready  chan struct{}
	closed chan struct{}
	once   sync.Once
	ahead  []byte // read by net/http before the connection was taken
	failed atomic.Bool
	// follow, once the connection speaks WebSocket, returns what is to be written
	// right behind the message whose end is about to be, or nil.
	follow func() []byte
	frames frames
}

func (c *heldConn) Read(p []byte) (int, error) {
	select {
	case <-c.ready:
	default:
		select {
		case <-c.ready:
		case <-c.closed:
			return 0, net.ErrClosed
		}
	}
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
			c.ahead = nil
		}
		return n, nil
	}
	return c.Conn.Read(p)
}

func (c *heldConn) Write(p []byte) (int, error) {
	var next []byte
	if c.follow != nil && c.frames.ends(p) {
		next = c.follow()
	}
	n, err := c.write(p, next)
	if err != nil {
		c.failed.Store(true)
	}
	return n, err
}

// maxJoined is how many bytes are rather copied than written by vector, which
// not every connection can.
const maxJoined = 4 << 10

// write writes p and what follows it in one system call, and answers for p.
func (c *heldConn) write(p, next []byte) (int, error) {
	if next == nil {
		return c.Conn.Write(p)
	}
	all := net.Buffers{p, next}
	if len(p) <= maxJoined {
		all = net.Buffers{slices.Concat(p, next)}
	}
	n, err := all.WriteTo(c.Conn)
	return min(int(n), len(p)), err
}

func (c *heldConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
