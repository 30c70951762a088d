package hub

import (
	"context"
	"time"

	"parley/adapters/socketio"
)

// BroadcastWithAck sends to this pod's sockets and the other pods, and calls ack
// once for each answer.
func (a adapter) BroadcastWithAck(p socketio.Packet, to socketio.Audience, flags socketio.Flags, clients func(int), ack func([]any)) (forget func()) {
	n, forget := a.s.ask(p, selectionOf(to), flags.Volatile, ack)
	if to.Local {
		clients(n)
		return forget
	}
	ctx, cancel := context.WithTimeout(context.Background(), clusterTimeout)
	defer cancel()
	pods, err := a.s.opts.Bus.Pods(ctx)
	if err != nil {
		a.s.opts.Logger.Warn("the pods could not be counted", "err", err)
		pods = 1
	}
	reached := tally{left: pods, done: clients}
	reached.add(n)
	a.s.opts.Bus.BroadcastWithAck(wirePacket(p), wireOptions(to, flags), reached.add, ack)
	return forget
}

// ask sends a packet that wants an answer to this pod's sockets; ack is called
// for each answer until forget is.
func (s *Server) ask(p socketio.Packet, sel selection, volatile bool, ack func(args []any)) (n int, forget func()) {
	id := *p.ID
	members := s.connected(sel)
	forget = func() {
		for _, m := range members {
			m.socket.Forget(id)
		}
	}
	msg, ok := s.encode(p, volatile)
	if !ok {
		return 0, func() {}
	}
	for _, m := range members {
		m.socket.Await(id, ack)
	}
	s.index.mu.Lock()
	flush, taken := queue(&msg, append([]*member(nil), members...), s.opts.Now())
	s.index.mu.Unlock()
	s.flush(flush, taken)
	return len(members), forget
}

// askFor is ask, for a while.
func (s *Server) askFor(p socketio.Packet, sel selection, volatile bool, timeout time.Duration, ack func(args []any)) (n int) {
	if timeout <= 0 {
		timeout = clusterTimeout
	}
	n, forget := s.ask(p, sel, volatile, ack)
	s.crew.run(func() {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.stop:
		}
		forget()
	})
	return n
}
