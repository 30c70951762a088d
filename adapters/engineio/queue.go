package engineio

import "slices"

// queue is what a session has to write. It is guarded by the session's mu.
type queue struct {
	frames  []*Frame // pushed, and nobody's yet
	out     []*Frame // a writer's, or of an answer that is not known to have arrived
	head    int      // bytes of out[0] that are written
	waits   int      // what both count for
	granted int      // what may wait beyond MaxBacklog
	writing bool     // out is a writer's, which comes back for more
	stuck   bool     // … and waits for the connection
	settled chan struct{}
	// What both begin in, so that a frame at a time touches no other memory.
	room [2][2]*Frame
}

func (q *queue) init() { q.frames, q.out = q.room[0][:0], q.room[1][:0] }

// keep is how large an empty slice of a session may be.
const keep = 8

// Push queues frames, all or none, with nothing in between. It writes nothing:
// Flush does. It returns false once the session is closed or closing; also when
// they are too much for its backlog, which ends it.
func (s *Session) Push(frames ...*Frame) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != open {
		return false
	}
	q := &s.queue
	for _, f := range frames {
		q.waits += f.cost
	}
	if q.waits > s.server.opts.MaxBacklog+q.granted {
		for _, f := range frames {
			q.waits -= f.cost
		}
		s.end(SlowClient, errBacklog)
		return false
	}
	had := q.frames
	q.frames = append(q.frames, frames...)
	if cap(q.frames) > cap(had) {
		clear(had) // it is part of the session, and would keep them for as long
	}
	return true
}

// Flush writes what is queued as far as the connection takes it at once; what is
// left follows by itself as the client takes it. While one Flush writes, others
// leave their frames to it.
func (s *Session) Flush() {
	s.mu.Lock()
	s.flush()
}

// flush needs s.mu, and gives it back.
func (s *Session) flush() {
	switch {
	case s.state == closed || s.queue.writing:
	case s.socket != nil:
		s.write()
		return
	case s.poll != nil:
		s.poll.flush(s)
	}
	s.mu.Unlock()
}

// Grant lets n bytes more wait than MaxBacklog; what is written uses them up.
func (s *Session) Grant(n int) {
	s.mu.Lock()
	s.queue.granted += n
	s.mu.Unlock()
}

// Buffered is how many bytes of messages are not known to be written.
func (s *Session) Buffered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue.waits
}

// Writable says that what is flushed now would not have to wait: the connection
// takes more, or a poll is there. What is volatile is not sent otherwise.
func (s *Session) Writable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state != open:
		return false
	case s.socket != nil:
		return !s.queue.stuck
	}
	return s.poll != nil && s.poll.waiting != nil
}

// Unsent returns, once, in Handler.Close or later, the frames that were pushed
// and are not known to be written, in order, the shared ones as they were
// pushed. Over a WebSocket that is exact: a frame is in it unless the connection
// took all of it, so that none of these has reached the client whole, while one
// the connection took may still be lost with it. By polling, those of the last
// answer are in it too, unless the client came back after it.
func (s *Session) Unsent() []*Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := &s.queue
	if s.state != closed || q.writing {
		return nil
	}
	all := slices.Concat(q.out, q.frames)
	q.out, q.frames = nil, nil
	return slices.DeleteFunc(all, func(f *Frame) bool { return f.own })
}

// Pending returns what Unsent would if the session ended now, and does not take
// it: what is being written is in it.
func (s *Session) Pending() []*Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Concat(s.queue.out, s.queue.frames)
	return slices.DeleteFunc(all, func(f *Frame) bool { return f.own })
}

// take gives everything queued to a writer; out is empty.
func (q *queue) take() {
	q.frames, q.out = q.out[:0], q.frames
}

// wrote notes that n bytes more of out are written, in dialect d.
func (q *queue) wrote(n int, d dialect) {
	whole := 0
	for _, f := range q.out {
		left := len(f.in(d).wire) - q.head
		if n < left {
			break
		}
		n -= left
		q.head = 0
		q.release(f)
		whole++
	}
	q.head += n
	if whole == len(q.out) {
		q.clear()
		return
	}
	q.out = slices.Delete(q.out, 0, whole)
}

// release says that f does not wait any more.
func (q *queue) release(f *Frame) {
	q.waits -= f.cost
	q.granted = max(0, q.granted-f.cost)
}

// clear empties out, and keeps its room if that is small.
func (q *queue) clear() {
	if cap(q.out) > keep {
		q.out = nil
		return
	}
	clear(q.out)
	q.out = q.out[:0]
}

// confirm says that all of out has arrived.
func (q *queue) confirm() {
	for _, f := range q.out {
		q.release(f)
	}
	q.clear()
}

// settle waits until no write is under way. The session has ended, so that none
// follows.
func (s *Session) settle() {
	s.mu.Lock()
	if !s.queue.writing {
		s.mu.Unlock()
		return
	}
	settled := make(chan struct{})
	s.queue.settled = settled
	s.mu.Unlock()
	<-settled
}

// stop is the writer's last word. It needs s.mu.
func (q *queue) stop() {
	q.writing, q.stuck = false, false
	if q.settled != nil {
		close(q.settled)
		q.settled = nil
	}
}
