package hub

import (
	"slices"
	"time"

	"parley/adapters/engineio"
	"parley/adapters/js"
	"parley/adapters/socketio"
	"parley/models"
)

// message is an event on its way to any number of this pod's sockets: encoded
// once, and the same frames for all.
type message struct {
	frames   []*engineio.Frame
	size     int // bytes
	volatile bool
	// rooms are those it is for: who has left all of them while it was held back
	// does not get it any more. None is everybody.
	rooms []string
	// sent is what a new_message is known by afterwards; nil for other events.
	sent *sentAt
	// marked are the frames of a new_message with its offset behind them.
	marked []*engineio.Frame
}

// A client that comes back says how far it got by its offset: stock clients keep
// the text that ends the last event they were sent, whether or not anybody
// listens to it. Ours is an event of its own behind a new_message, so that the
// message is what its readers expect, one object. Who is cut off before the
// offset is sent that one message again. It also says up to when all messages had
// been given to this Server before that one: what came before it on the connection.
const offsetEvent = "parley:offset"

// to is what of the message goes to m: with its offset, if its client can come
// back.
func (m *message) to(who *member) []*engineio.Frame {
	if m.marked != nil && who.mayReturn() {
		return m.marked
	}
	return m.frames
}

// encode spells the event; ok is false where that cannot be done, which is
// logged. Who is sent it has been given all that was heard by now.
func (s *Server) encode(p socketio.Packet, volatile bool) (m message, ok bool) {
	return s.spell(p, volatile, s.opts.Marks.Heard())
}

// spell is encode for whoever has been given all that was stamped before heard.
func (s *Server) spell(p socketio.Packet, volatile bool, heard time.Time) (m message, ok bool) {
	p.Nsp = "/"
	frames, err := s.nsp.Encode(p)
	if err != nil {
		s.opts.Logger.Error("an event could not be encoded", "err", err)
		return message{}, false
	}
	m = message{frames: frames, volatile: volatile}
	for _, f := range frames {
		m.size += f.Size()
	}
	if id := s.messageID(p); id != "" {
		m.sent = &sentAt{id: id}
		frames[len(frames)-1].WithTag(m.sent)
		if offset := s.offset(models.Offset{ID: id, Heard: heard}); offset != nil {
			m.marked = append(slices.Clip(frames), offset)
			m.size += offset.Size()
		}
	}
	return m, true
}

// offset is the packet by which a client is told how far it got; nil where
// clients cannot come back.
func (s *Server) offset(o models.Offset) *engineio.Frame {
	if !s.opts.Recovery {
		return nil
	}
	frames, err := s.nsp.Encode(socketio.Packet{Type: socketio.TypeEvent, Data: []any{offsetEvent, o.String()}})
	if err != nil || len(frames) != 1 {
		return nil // cannot be: two texts
	}
	return frames[0].AsNote()
}

// event is the packet of one of Parley's own events.
func (s *Server) event(ev models.Event) (p socketio.Packet, volatile bool) {
	name, payload := s.opts.Encode(ev)
	payload, err := js.Of(payload) // once for all who are to read it
	if err != nil {
		s.opts.Logger.Error("an event could not be encoded", "event", name, "err", err)
	}
	// That somebody still types may be lost; that they stopped may not.
	typing, ok := ev.(models.Typing)
	return socketio.Packet{Type: socketio.TypeEvent, Data: []any{name, payload}}, ok && typing.IsTyping
}

func (s *Server) messageID(p socketio.Packet) models.MessageID {
	args, ok := p.Data.([]any)
	if !ok || len(args) < 2 || p.ID != nil {
		return ""
	}
	name, ok := args[0].(string)
	if !ok {
		return ""
	}
	id, ok := s.opts.MessageID(name, args[1:])
	if !ok {
		return ""
	}
	return id
}

// madeAt is when the message of a new_message was made; zero where it is not said.
func (s *Server) madeAt(p socketio.Packet) time.Time {
	args, _ := p.Data.([]any)
	return s.opts.MadeAt(args[min(1, len(args)):])
}

// sentAt is a new_message and when it was sent; of one of a backlog, when it was
// made. What a client was not sent it has to be given again from then on.
type sentAt struct {
	id models.MessageID
	at time.Time
}
