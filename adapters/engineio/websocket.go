package engineio

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// webSocket is one WebSocket. Its reader's goroutine is its owner: it reads,
// says goodbye and closes the connection. Others only write a session's frames,
// or interrupt it.
type webSocket struct {
	server  *Server
	session *Session
	conn    net.Conn
	raw     rawConn // absent where it is no plain TCP connection
	dialect dialect

	framing framing
	buf     *[readSize]byte // borrowed while something is in it
	have    int
	ahead   []byte // came with the request, before there was a reader

	// probe is set until the session is over it; nil for one that began so.
	probe *probe
	left  *CloseError // what the client closed it with
}

const (
	goodbyeTime = 50 * time.Millisecond // for a close frame
	lingerTime  = time.Second           // for the client's own, so that it reads ours
)

var errInterrupted = errors.New("interrupted")

var buffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// Wrapper is a connection of a listener's own making around a TCP connection.
// Once a request has come, Plain is that connection, if nothing is to be done for
// it any more, or nil: only what the kernel is told directly is read without
// keeping a buffer, and written without a goroutine.
type Wrapper interface{ Plain() *net.TCPConn }

func (s *Server) newWebSocket(conn net.Conn, session *Session, ahead []byte, d dialect) *webSocket {
	if c, ok := conn.(Wrapper); ok {
		if plain := c.Plain(); plain != nil {
			conn = plain
		}
	}
	w := &webSocket{server: s, session: session, conn: conn, dialect: d, framing: framing{limit: s.opts.MaxPayload}, ahead: ahead}
	w.raw.init(conn, w)
	return w
}

// interrupt ends every read and write; the session has ended, or the probe.
func (w *webSocket) interrupt() { _ = w.conn.SetDeadline(time.Unix(1, 0)) }

// room is where the next bytes go.
func (w *webSocket) room() []byte {
	if w.buf == nil {
		w.buf, _ = buffers.Get().(*[readSize]byte)
	}
	return w.buf[w.have:]
}

// giveBack returns an empty buffer, so that an idle socket has none.
func (w *webSocket) giveBack() {
	if w.have == 0 && w.buf != nil {
		buffers.Put(w.buf)
		w.buf = nil
	}
}

// try writes what the connection takes at once.
func (w *webSocket) try(frames []*Frame, head int) (int, error) {
	if w.raw.isAbsent() {
		return 0, nil
	}
	return w.raw.write(frames, head, w.dialect)
}

// serve reads until the WebSocket ends.
func (w *webSocket) serve() {
	err := w.read(w)
	if w.probe != nil {
		w.endProbe(err)
		return
	}
	s := w.session
	switch broken := asCloseError(err); {
	case broken != nil:
		s.fail(TransportError, broken)
	default:
		s.fail(TransportClose, err) // unless it has ended already
	}
	s.settle()
	whole := s.whole()
	said := w.goodbye(err, whole)
	if said && s.isSentOff() && errors.Is(err, errInterrupted) {
		// Whether it read all it was sent is worth waiting for.
		s.told.Store(w.linger(err, whole))
		s.finish()
	} else {
		s.finish()
		w.linger(err, whole)
	}
	w.hangUp()
}

// asCloseError is what err says that the client did wrong, or nil.
func asCloseError(err error) *CloseError {
	var broken *CloseError
	_ = errors.As(err, &broken)
	return broken
}

// whole says that no frame is written in part only.
func (s *Session) whole() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue.head == 0
}

// goodbye writes a close frame: the answer to the client's, the code of what it
// did wrong, or, as Node does, none. whole says that no frame is cut short, said
// that it was written.
func (w *webSocket) goodbye(err error, whole bool) (said bool) {
	if !whole {
		return false
	}
	code := codeNoStatus
	if broken := asCloseError(err); broken != nil {
		code = broken.Code
	} else if w.left != nil {
		code = w.left.Code
	}
	var payload []byte
	if code != codeNoStatus {
		payload = binary.BigEndian.AppendUint16(nil, uint16(code))
	}
	return w.write(newControl(opClose, payload).wire, goodbyeTime) == nil
}

// write writes b itself, in the time given; nobody else writes.
func (w *webSocket) write(b []byte, limit time.Duration) error {
	if err := w.conn.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	_, err := w.conn.Write(b)
	return err
}

// writesFreely takes the limit of write off again, unless the session has ended.
func (w *webSocket) writesFreely() error {
	s := w.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == closed {
		return errInterrupted
	}
	return w.conn.SetWriteDeadline(time.Time{})
}

// linger waits, where the connection is ours to end, until the client has answered
// the goodbye: one that is closed with something unread is reset, and what its
// client has not read yet is lost. told says that it has answered.
func (w *webSocket) linger(err error, whole bool) (told bool) {
	broken := asCloseError(err)
	if broken == nil && !errors.Is(err, errInterrupted) || !whole || w.conn.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return false
	}
	if broken == nil {
		if err = w.read(deaf{}); asCloseError(err) == nil {
			return errors.Is(err, errPeerClosed)
		}
	}
	// It cannot be understood any more; that nothing follows tells it to go.
	if half, ok := w.conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, w.conn)
	}
	return false
}

func (w *webSocket) hangUp() {
	w.have = 0
	w.giveBack()
	_ = w.conn.Close()
}

// deaf hears nothing but the client's goodbye.
type deaf struct{}

func (deaf) message(byte, []byte) error { return nil }

func (deaf) control(op byte, _ []byte) error {
	if op == opClose {
		return errPeerClosed
	}
	return nil
}
