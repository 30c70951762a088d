package hub

import (
	"slices"
	"time"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"

	"parley/adapters/js"
	"parley/models"
)

// send gives the packet to this pod's selected sockets.
//
// All queues are filled under one lock, so everybody sees concurrent broadcasts
// in one order; encoding and writing happen outside of it.
func (s *Server) send(p *parser.Packet, sel selection, compress *bool, volatile bool) {
	f := s.frame(p, compress, volatile)
	id := s.messageID(p)

	x := s.index
	x.mu.Lock()
	now := s.opts.Now() // under the lock: times tell the order of sending
	f.identify(id, now, s.opts.Recovery)
	if f.id != "" && x.repeated(sel.rooms, f.id, now, s.horizon(now)) {
		x.mu.Unlock()
		s.opts.Metrics.Duplicate()
		return
	}
	members := x.pick(sel)
	if sel.all {
		members = slices.DeleteFunc(members, func(m *member) bool { return m.user == "" }) // nobody yet
	}
	flush, n := queue(f, members, now)
	x.mu.Unlock()
	s.flush(flush, n)
}

// queue gives the frame to members and returns those who can write now, and how
// many took it; index.mu is held.
func queue(f *frame, members []*member, now time.Time) (flush []*member, n int) {
	flush = members[:0]
	for _, m := range members {
		queued, ready := m.push(f, now)
		if queued {
			n++
		}
		if ready {
			flush = append(flush, m)
		}
	}
	return flush, n
}

func (s *Server) flush(members []*member, n int) {
	for _, m := range members {
		m.flush()
	}
	if n > 0 {
		s.opts.Metrics.Delivered(n)
	}
}

func (s *Server) frame(p *parser.Packet, compress *bool, volatile bool) *frame {
	p.Nsp = "/"
	return &frame{encoder: s.io.Encoder(), packet: p, compress: compress, volatile: volatile}
}

func (s *Server) messageID(p *parser.Packet) models.MessageID {
	args, ok := p.Data.([]any)
	if !ok || len(args) < 2 {
		return ""
	}
	name, ok := args[0].(string)
	if !ok {
		return ""
	}
	first := args[1]
	if fields, ok := js.Fields(first); ok {
		first = fields
	}
	id, ok := s.opts.MessageID(name, append([]any{first}, args[2:]...))
	if !ok {
		return ""
	}
	return id
}
