package engineio

import (
	"encoding/base64"
	"encoding/binary"
	"sync/atomic"
	"unicode/utf8"
)

// Frame is one message, immutable, ready to be written to any number of
// sessions: its WebSocket frame is built at once, what other protocols and
// transports need when the first of them asks.
type Frame struct {
	form          // of protocol 4 over WebSocket
	cost     int  // what it counts for in a backlog
	isBinary bool // a binary message
	own      bool // the engine's, not pushed by anybody
	tag      any
	note     bool
	units    atomic.Int32 // UTF-16 units of the text and 1; 0 for not counted yet
	others   [3]atomic.Pointer[form]
}

// form is a frame of WebSocket; behind its head is what polling sends.
type form struct {
	wire []byte
	head int
}

func (f *form) payload() []byte { return f.wire[f.head:] }

// dialect is how a client wants binary messages.
type dialect uint8

const (
	dialectV4    dialect = iota // as they are
	dialectV3                   // behind the packet type
	dialectV4b64                // text: b, base64
	dialectV3b64                // text: b4, base64
)

func dialectOf(protocol int, base64 bool) dialect {
	switch {
	case protocol == 4 && base64:
		return dialectV4b64
	case protocol == 4:
		return dialectV4
	case base64:
		return dialectV3b64
	}
	return dialectV3
}

// NewFrame copies data into a message: text, which has to be UTF-8, or binary.
func NewFrame(data []byte, binary bool) *Frame {
	f := &Frame{cost: len(data), isBinary: binary}
	if binary {
		f.form = newForm(opBinary, "", data)
	} else {
		f.form = newForm(opText, "4", data)
	}
	return f
}

// WithTag ties v to f, before f is pushed: what Tag returns of those frames that
// were not written.
func (f *Frame) WithTag(v any) *Frame {
	f.tag = v
	return f
}

// AsNote makes f one that says what was the case when it was pushed: in an answer
// to a poll, which comes whole or not at all, the last such does for all.
func (f *Frame) AsNote() *Frame {
	f.note = true
	return f
}

// Tag returns what WithTag has tied to f, or nil.
func (f *Frame) Tag() any { return f.tag }

// newPacket makes a packet of the engine's own.
func newPacket(packet string) *Frame {
	return &Frame{form: newForm(opText, packet, nil), own: true}
}

// newControl makes a control frame of WebSocket.
func newControl(op byte, data []byte) *Frame {
	return &Frame{form: newForm(op, "", data), own: true}
}

// Size is the number of bytes of the message.
func (f *Frame) Size() int { return f.cost }

// Binary says that the message is binary.
func (f *Frame) Binary() bool { return f.isBinary }

// in returns f in the given dialect.
func (f *Frame) in(d dialect) *form {
	if d == dialectV4 || !f.isBinary {
		return &f.form
	}
	at := &f.others[d-1]
	if made := at.Load(); made != nil {
		return made
	}
	at.CompareAndSwap(nil, f.make(d))
	return at.Load()
}

func (f *Frame) make(d dialect) *form {
	data := f.payload()
	if d == dialectV3 {
		made := newForm(opBinary, "\x04", data)
		return &made
	}
	prefix := "b"
	if d == dialectV3b64 {
		prefix = "b4"
	}
	made := newForm(opText, prefix, make([]byte, base64.StdEncoding.EncodedLen(len(data))))
	base64.StdEncoding.Encode(made.payload()[len(prefix):], data)
	return &made
}

// length16 is the length of the text in UTF-16 units.
func (f *Frame) length16() int {
	if n := f.units.Load(); n > 0 {
		return int(n - 1)
	}
	n := units16(f.payload())
	f.units.Store(int32(n + 1))
	return n
}

func units16(b []byte) int {
	n := 0
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if n++; r > 0xffff {
			n++
		}
		b = b[size:]
	}
	return n
}

// newForm builds a WebSocket frame in one piece, unmasked, as a server's is.
func newForm(op byte, prefix string, data []byte) form {
	size := len(prefix) + len(data)
	wire := make([]byte, 2, 2+8+size)
	wire[0] = finBit | op
	switch {
	case size < 126:
		wire[1] = byte(size)
	case size < 1<<16:
		wire[1] = 126
		wire = binary.BigEndian.AppendUint16(wire, uint16(size))
	default:
		wire[1] = 127
		wire = binary.BigEndian.AppendUint64(wire, uint64(size))
	}
	head := len(wire)
	return form{wire: append(append(wire, prefix...), data...), head: head}
}
