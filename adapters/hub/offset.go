package hub

import (
	"slices"

	"github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"parley/models"
)

// A client that comes back says how far it got by its offset: stock clients keep
// the text that ends the last event they were sent, whether or not anybody
// listens to it. Ours is an event of its own behind a new_message, so that the
// message is what its readers expect, one object.
//
// Who is cut off before the offset is sent the message again. A WebSocket's
// client sees each frame as it comes, so that there each message has its own,
// in the same system call. An answer to a poll comes whole or not at all: one
// does for all that is in it.

const offsetEvent = "parley:offset"

// offset is one as it is sent, made once for all recipients.
type offset struct {
	packet []byte // for a payload
	binary bool
	frame  []byte // of a WebSocket
}

// maxShortFrame is what a WebSocket frame's first length byte can say.
const maxShortFrame = 125

// newOffset returns nil for an id that is too long to be one.
func newOffset(id models.MessageID, encoder parser.Encoder) *offset {
	encoded := encoder.Encode(&parser.Packet{Type: parser.EVENT, Nsp: "/", Data: []any{offsetEvent, string(id)}})[0]
	_, text := encoded.(*types.StringBuffer)
	o := &offset{packet: encoded.Bytes(), binary: !text}
	const final, ofText, ofBytes = 0x80, 0x1, 0x2
	head, message := []byte{final | ofBytes, 0}, o.packet
	if text {
		head[0], message = final|ofText, append([]byte{'4'}, message...)
	}
	if len(message) > maxShortFrame {
		return nil
	}
	head[1] = byte(len(message))
	o.frame = slices.Concat(head, message)
	return o
}

func (o *offset) size() int {
	if o == nil {
		return 0
	}
	return len(o.packet)
}

// marked is the end of a new_message and its offset, on their way through the
// engine as one.
type marked struct {
	types.BufferInterface
	offset *offset
}

func (m *marked) Len() int { return m.BufferInterface.Len() + m.offset.size() }

func (m *marked) Clone() types.BufferInterface {
	return &marked{BufferInterface: m.BufferInterface.Clone(), offset: m.offset}
}

// unmark makes the packet a plain one and returns the offset it had, or nil.
func unmark(p *packet.Packet) *offset {
	m, ok := p.Data.(*marked)
	if !ok {
		return nil
	}
	p.Data = m.BufferInterface
	return m.offset
}

// withOffset makes plain packets of what goes into one payload.
func withOffset(packets []*packet.Packet) []*packet.Packet {
	var last *offset
	at := 0
	for i, p := range packets {
		if o := unmark(p); o != nil {
			last, at = o, i+1
		}
	}
	if last == nil {
		return packets
	}
	own := &packet.Packet{Type: packet.MESSAGE, Data: bufferOf(last.packet, last.binary), Options: packets[at-1].Options}
	all := make([]*packet.Packet, 0, len(packets)+1)
	return append(append(append(all, packets[:at]...), own), packets[at:]...)
}

// bufferOf is what the engine takes. The bytes are shared by all recipients: it
// only reads them.
func bufferOf(b []byte, binary bool) types.BufferInterface {
	b = b[:len(b):len(b)]
	if binary {
		return types.NewBytesBuffer(b)
	}
	return types.NewStringBuffer(b)
}
