package engineio

import (
	"errors"
	"os"
)

// read reads frames to an error. A socket that says nothing has no buffer
// meanwhile.
func (w *webSocket) read(to frames) error {
	for {
		if w.have > 0 {
			used, err := w.framing.read(w.buf[:w.have], to)
			w.have = copy(w.buf[:], w.buf[used:w.have])
			if err != nil {
				return err
			}
		}
		if err := w.fill(); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return errInterrupted
			}
			return err
		}
	}
}

// fill reads what is there, or waits for it.
func (w *webSocket) fill() (err error) {
	var n int
	switch {
	case len(w.ahead) > 0:
		n = copy(w.room(), w.ahead)
		if w.ahead = w.ahead[n:]; len(w.ahead) == 0 {
			w.ahead = nil
		}
	case !w.raw.isAbsent():
		n, err = w.raw.read()
	default:
		n, err = w.conn.Read(w.room())
	}
	w.have += max(n, 0)
	if n > 0 {
		return nil
	}
	return err
}

// message takes one message of the WebSocket.
func (w *webSocket) message(op byte, data []byte) error {
	if w.probe != nil {
		return w.probed(op, data)
	}
	s := w.session
	p, err := parseFrame(s.protocol, op == opBinary, data)
	if err != nil {
		s.hears(packetNone)
		s.fail(ParseError, err)
		return errInterrupted
	}
	if p.kind == packetClose { // Node does not look at it, over a WebSocket
		p.kind = packetNoop
	}
	s.turn.Lock()
	s.receive(p)
	s.turn.Unlock()
	if s.isClosed() {
		return errInterrupted
	}
	return nil
}

// control takes one control frame.
func (w *webSocket) control(op byte, data []byte) error {
	s := w.session
	s.lives()
	switch op {
	case opPing:
		pong := newControl(opPong, data)
		pong.cost = pongCost + len(data)
		if w.probe != nil {
			return w.say(pong)
		}
		s.Push(pong)
		s.Flush()
	case opClose:
		left, err := closeError(data)
		if err != nil {
			return err
		}
		w.left = left
		if w.probe == nil {
			s.fail(TransportClose, left)
		}
		return errPeerClosed
	}
	return nil
}
