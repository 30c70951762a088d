package engineio

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// rawConn reads and writes a TCP connection without waiting and without
// allocating: what it calls is made once. Reads are one goroutine's, writes are
// one at a time.
type rawConn struct {
	conn   syscall.RawConn
	onRead func(fd uintptr) bool
	in     reading
	// fd is written to as it is: a write does not wait, so that deadlines say
	// nothing about it, and the connection is not closed while one is under way,
	// so that it needs no lock (Session.settle).
	fd int
}

type reading struct {
	from *webSocket
	n    int
	err  error
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
	if raw.Control(func(fd uintptr) { c.fd = int(fd) }) != nil {
		return
	}
	c.conn, c.in.from, c.onRead = raw, w, c.in.ready
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
		n, err := recv(int(fd), r.from.room())
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
func (c *rawConn) write(frames []*Frame, head int, d dialect) (written int, err error) {
	for len(frames) > 0 {
		var want, n int
		taken := 1
		if len(frames) == 1 {
			wire := frames[0].in(d).wire[head:]
			want = len(wire)
			n, err = send(c.fd, wire)
		} else {
			taken, want, n, err = c.vector(frames, head, d)
		}
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return written, nil
		case err != nil:
			return written, err
		}
		written += n
		if n < want {
			return written, nil
		}
		frames, head = frames[taken:], 0
	}
	return written, nil
}

// vectors is how many frames one system call sends.
const vectors = 8

func (c *rawConn) vector(frames []*Frame, head int, d dialect) (taken, want, n int, err error) {
	var wires [vectors][]byte
	taken = min(len(frames), vectors)
	for i, f := range frames[:taken] {
		wires[i] = f.in(d).wire[head:]
		want += len(wires[i])
		head = 0
	}
	n, err = sendAll(c.fd, wires[:taken])
	return taken, want, n, err
}
