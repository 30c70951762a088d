package engineio

import (
	"errors"
	"net"
	"os"
	"time"
)

// batch is how much a writer that waits for the connection hands it at a time,
// and has to see taken within IOTimeout.
const batch = 64 << 10

// write writes what the connection takes at once, and has a goroutine see to the
// rest. It needs s.mu, and gives it back; nobody else is writing.
func (s *Session) write() {
	q, w := &s.queue, s.socket
	for s.state != closed && len(q.frames) > 0 {
		q.take()
		q.writing = true
		s.mu.Unlock()
		n, err := w.try(q.out, q.head)
		s.mu.Lock()
		q.wrote(n, w.dialect)
		if err != nil {
			s.end(TransportError, err)
			break
		}
		if len(q.out) > 0 {
			q.stuck = true
			s.server.crew.Run(s.writeOn)
			s.mu.Unlock()
			return
		}
	}
	s.drained()
	s.mu.Unlock()
}

// drained ends a write, and a session that was to be closed after it. It needs
// s.mu.
func (s *Session) drained() {
	s.queue.stop()
	if s.state == closing {
		s.end(s.reason, nil)
	}
}

// writeOn writes until nothing is left.
func (s *Session) writeOn() {
	q, w := &s.queue, s.socket
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.state != closed {
		if len(q.out) == 0 {
			q.take()
		}
		if len(q.out) == 0 {
			break
		}
		next := q.next(w.dialect)
		// Set under mu, so that it cannot undo the interrupt that ends the session.
		err := w.conn.SetWriteDeadline(time.Now().Add(s.server.opts.IOTimeout))
		s.mu.Unlock()
		var n int64
		if err == nil {
			n, err = next.WriteTo(w.conn)
		}
		s.mu.Lock()
		q.wrote(int(n), w.dialect)
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.end(SlowClient, errStuck)
		default:
			s.end(TransportError, err)
		}
		if s.state != closed {
			_ = w.conn.SetWriteDeadline(time.Time{}) // a try would fail by one that is over
		}
	}
	s.drained()
}

// next is the next batch of out. It needs the session's mu.
func (q *queue) next(d dialect) net.Buffers {
	var next net.Buffers
	skip, left := q.head, batch
	for _, f := range q.out {
		wire := f.in(d).wire[skip:]
		wire = wire[:min(len(wire), left)]
		next = append(next, wire)
		skip = 0
		if left -= len(wire); left == 0 {
			break
		}
	}
	return next
}
