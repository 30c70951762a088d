package socketio

import "math"

// jobs are what is still to be done for a socket, one after the other. They are
// guarded by the socket's mu.
type jobs struct {
	list    []job
	bytes   int
	working bool // somebody does them, or will
}

type job struct {
	fn   func()
	size int // bytes of the event
}

// Do runs fn after the handlers of the events that came before.
func (s *Socket) Do(fn func()) { s.enqueue(job{fn: fn}, math.MaxInt, math.MaxInt) }

// enqueue runs a job after those that were enqueued before it; false says that
// too much waits already.
func (s *Socket) enqueue(j job, most, mostBytes int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := &s.jobs
	if len(q.list) >= most || len(q.list) > 0 && q.bytes+j.size > mostBytes {
		return false
	}
	q.list = append(q.list, j)
	q.bytes += j.size
	if !q.working {
		q.working = true
		s.nsp.server.crew.Run(s.work)
	}
	return true
}

func (s *Socket) work() {
	for {
		s.mu.Lock()
		q := &s.jobs
		if len(q.list) == 0 {
			*q = jobs{}
			s.mu.Unlock()
			return
		}
		j := q.list[0]
		q.list[0] = job{}
		q.list = q.list[1:]
		q.bytes -= j.size
		s.mu.Unlock()
		s.handle(j.fn)
	}
}

func (s *Socket) handle(fn func()) {
	_ = s.nsp.server.guard("an event handler", func() error { fn(); return nil })
}

// inline runs fn now, on the reader's goroutine; false says that something else
// comes before it.
func (s *Socket) inline(fn func()) bool {
	s.mu.Lock()
	if s.jobs.working {
		s.mu.Unlock()
		return false
	}
	s.jobs.working = true
	s.mu.Unlock()
	s.handle(fn)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.jobs.working = len(s.jobs.list) > 0; s.jobs.working { // what fn gave to do
		s.nsp.server.crew.Run(s.work)
	}
	return true
}
