package engineio

import (
	"errors"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// rawConn reads and writes a TCP connection without waiting and without
// allocating: what it calls is made once. Reads are one goroutine's, writes are
// one at a time.
type rawConn struct {
	conn    syscall.RawConn
	onRead  func(fd uintptr) bool
	onWrite func(fd uintptr) bool

	in  reading
	out writing
}

type reading struct {
	from *webSocket
	n    int
	err  error
}

type writing struct {
	frames []*Frame
	head   int
	dialect
	n   int
	err error
}

// init leaves c absent for what is no plain TCP connection.
func (c *rawConn) init(conn net.Conn, w *webSocket) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	c.conn, c.in.from = raw, w
	c.onRead, c.onWrite = c.in.ready, c.out.ready
}

func (c *rawConn) isAbsent() bool { return c.conn == nil }

// read waits until there is something to read; only then it borrows a buffer.
func (c *rawConn) read() (int, error) {
	c.in.n, c.in.err = 0, nil
	if err := c.conn.Read(c.onRead); err != nil {
		return 0, err
	}
	return c.in.n, c.in.err
}

func (r *reading) ready(fd uintptr) bool {
	for {
		n, err := syscall.Read(int(fd), r.from.room())
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			r.from.giveBack()
			return false
		case err != nil:
			r.err = err
		case n == 0:
			r.err = io.EOF
		default:
			r.n = n
		}
		return true
	}
}

// write writes frames from the head-th byte on, as many as are taken at once.
func (c *rawConn) write(frames []*Frame, head int, d dialect) (int, error) {
	c.out = writing{frames: frames, head: head, dialect: d}
	err := c.conn.Write(c.onWrite)
	c.out.frames = nil
	if err == nil {
		err = c.out.err
	}
	return c.out.n, err
}

func (w *writing) ready(fd uintptr) bool {
	for len(w.frames) > 0 && w.err == nil {
		want, n := 0, 0
		taken := 1
		if len(w.frames) == 1 {
			wire := w.frames[0].in(w.dialect).wire[w.head:]
			want = len(wire)
			n, w.err = syscall.Write(int(fd), wire)
		} else {
			taken, want, n, w.err = w.vector(int(fd))
		}
		switch {
		case errors.Is(w.err, syscall.EINTR):
			w.err = nil
			continue
		case errors.Is(w.err, syscall.EAGAIN):
			w.err = nil
			return true
		case w.err != nil:
			return true
		}
		w.n += n
		if n < want {
			return true
		}
		w.frames, w.head = w.frames[taken:], 0
	}
	return true
}

// vectors is how many frames one system call writes; unix.Writev allocates for
// more.
const vectors = 8

func (w *writing) vector(fd int) (taken, want, n int, err error) {
	var wires [vectors][]byte
	taken = min(len(w.frames), vectors)
	head := w.head
	for i, f := range w.frames[:taken] {
		wires[i] = f.in(w.dialect).wire[head:]
		want += len(wires[i])
		head = 0
	}
	n, err = unix.Writev(fd, wires[:taken])
	return taken, want, n, err
}
