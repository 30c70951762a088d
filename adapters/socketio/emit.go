package socketio

import (
	"context"
	"errors"
	"slices"
)

// ErrGone is for a socket that has left before it answered.
var ErrGone = errors.New("socketio: the socket has gone")

// Send queues a packet for the socket; Flush writes it. What cannot be encoded
// is logged and not sent.
func (s *Socket) Send(p Packet) {
	frames, err := s.nsp.Encode(p)
	if err != nil {
		s.nsp.server.opts.Logger.Error("a packet could not be encoded", "type", p.Type, "err", err)
		return
	}
	s.session.Push(frames...)
}

// Flush writes what is queued; it does not block.
func (s *Socket) Flush() { s.session.Flush() }

// Emit sends an event.
func (s *Socket) Emit(event string, args ...any) {
	s.Send(Packet{Type: TypeEvent, Data: append([]any{event}, args...)})
	s.Flush()
}

// EmitWithAck sends an event and returns what the client answers.
func (s *Socket) EmitWithAck(ctx context.Context, event string, args ...any) ([]any, error) {
	id := s.nsp.NextID()
	answers := make(chan []any, 1)
	s.Await(id, func(args []any) { answers <- args })
	defer s.Forget(id)
	s.Send(Packet{Type: TypeEvent, ID: &id, Data: append([]any{event}, args...)})
	s.Flush()
	select {
	case args := <-answers:
		return args, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.Context().Done():
		return nil, ErrGone
	}
}

// awaited is an answer that is still to come.
type awaited struct {
	id uint64
	fn func(args []any)
}

// Await calls fn once with the answer to the packet of that id, if one comes; fn
// must not block.
func (s *Socket) Await(id uint64, fn func(args []any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acks = append(s.acks, awaited{id: id, fn: fn})
}

// Forget ends an Await.
func (s *Socket) Forget(id uint64) { s.taken(id) }

func (s *Socket) taken(id uint64) func([]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.acks, func(a awaited) bool { return a.id == id })
	if i < 0 {
		return nil
	}
	fn := s.acks[i].fn
	if s.acks = slices.Delete(s.acks, i, i+1); len(s.acks) == 0 {
		s.acks = nil
	}
	return fn
}
