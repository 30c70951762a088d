package hub

import (
	"time"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	sio "github.com/zishang520/socket.io/servers/socket/v3"

	"parley/adapters/cluster"
)

// awaited is a broadcast whose answers are forgotten at a time: the library
// keeps a callback in each socket until it is answered.
type awaited struct {
	id      uint64
	until   time.Time
	members []*member
}

// BroadcastWithAck sends to this pod's sockets and the other pods, and calls ack
// once for each answer.
func (a *adapter) BroadcastWithAck(p *parser.Packet, opts *sio.BroadcastOptions, clients func(uint64), ack sio.Ack) {
	sel, flags := selectionOf(opts), flagsOf(opts)
	p.Data = plain(p.Data)
	id := a.Nsp().Ids()
	p.Id = &id // the library forgets the callbacks by it
	wire := cluster.Packet{Type: int(p.Type), Data: p.Data, Nsp: "/", ID: &id}
	n := a.s.sendWithAck(p, sel, wireOptions(sel, flags).Flags, ack)
	clients(uint64(n))
	if flags.Local {
		return
	}
	a.s.opts.Bus.BroadcastWithAck(wire, wireOptions(sel, flags),
		func(n int) { clients(uint64(max(n, 0))) },
		func(args []any) { ack(args, nil) })
}

func (s *Server) sendWithAck(p *parser.Packet, sel selection, flags cluster.Flags, ack sio.Ack) int {
	id := *p.Id
	f := s.frame(p, flags.Compress, flags.Volatile)
	members := s.connected(sel)
	for _, m := range members {
		m.socket.Acks().Store(id, ack)
	}
	now := s.opts.Now()
	timeout := flags.Timeout
	if timeout <= 0 {
		timeout = clusterTimeout
	}
	s.acksMu.Lock()
	s.acks = append(s.acks, awaited{id: id, until: now.Add(timeout), members: members})
	s.acksMu.Unlock()
	for _, m := range members {
		if _, flush := m.push(f, now); flush {
			m.flush()
		}
	}
	return len(members)
}

func (s *Server) forgetAcks(now time.Time) {
	s.acksMu.Lock()
	defer s.acksMu.Unlock()
	kept := s.acks[:0]
	for _, a := range s.acks {
		if now.Before(a.until) {
			kept = append(kept, a)
			continue
		}
		for _, m := range a.members {
			m.socket.Acks().Delete(a.id)
		}
	}
	clear(s.acks[len(kept):])
	s.acks = kept
}
