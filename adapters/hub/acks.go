package hub

import (
	"context"
	"sync/atomic"
	"time"

	"parley/adapters/socketio"
)

// BroadcastWithAck sends to this pod's sockets and the other pods, and calls ack
// once for each answer.
func (a adapter) BroadcastWithAck(p socketio.Packet, to socketio.Audience, flags socketio.Flags, clients func(int), ack func([]any)) (forget func()) {
	n, forget := a.s.ask(p, to, flags.Volatile, ack)
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
func (s *Server) ask(p socketio.Packet, to socketio.Audience, volatile bool, ack func(args []any)) (n int, forget func()) {
	id := *p.ID
	members := s.connected(to)
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
	flush, taken := queue(&msg, append([]*member(nil), members...))
	s.index.mu.Unlock()
	s.flush(flush, taken)
	return len(members), forget
}

// maxAskFor is the longest a pod awaits its clients' answers to another pod's
// question. The other pod says for how long, and may say 25 days; a client that
// does not know the event never answers.
const maxAskFor = 10 * time.Minute

// askFor is ask, until every socket has answered or timeout is over.
func (s *Server) askFor(p socketio.Packet, to socketio.Audience, volatile bool, timeout time.Duration, ack func(args []any)) (n int) {
	if timeout <= 0 {
		timeout = clusterTimeout
	}
	answered := make(chan struct{})
	var left atomic.Int64 // below zero while sockets answer that are not counted yet
	n, forget := s.ask(p, to, volatile, func(args []any) {
		ack(args)
		if left.Add(-1) == 0 {
			close(answered)
		}
	})
	if left.Add(int64(n)) == 0 {
		return n
	}
	s.crew.Run(func() {
		timer := time.NewTimer(min(timeout, maxAskFor))
		defer timer.Stop()
		select {
		case <-answered:
		case <-timer.C:
		case <-s.stop:
		}
		forget()
	})
	return n
}
