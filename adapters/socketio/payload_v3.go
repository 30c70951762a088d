package socketio

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/parsers/engine/v3/parser"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// A payload of Engine.IO 3 in which something is binary is one packet after the
// other, each as
//
//	0 for text, anything else for binary; its length, a byte for each digit; 255; the packet
//
// where the length counts bytes, those of UTF-8 for text. The library counts
// UTF-16 units, and encodes what is not ASCII twice.

var errPayload = errors.New("unreadable payload")

const endOfLength = 0xff

// encodeV3 spells packets as Node does for a client that takes binary.
func encodeV3(packets []*packet.Packet) (types.BufferInterface, error) {
	v3 := parser.Parserv3()
	if !slices.ContainsFunc(packets, isBinary) {
		return v3.EncodePayload(packets, true)
	}
	var out []byte
	for _, q := range packets {
		b, err := v3.EncodePacket(q, true)
		if err != nil {
			return nil, err
		}
		kind := byte(0)
		if isBinary(q) {
			kind = 1
		}
		out = append(out, kind)
		for _, digit := range []byte(strconv.Itoa(b.Len())) {
			out = append(out, digit-'0')
		}
		out = append(append(out, endOfLength), b.Bytes()...)
	}
	return types.NewBytesBuffer(out), nil
}

func isBinary(q *packet.Packet) bool {
	_, text := q.Data.(*types.StringBuffer)
	return q.Data != nil && !text
}

// decodeV3 reads a body as Node does: of one that is not of that form, nothing;
// else its packets up to the first that cannot be read. What is cut short is
// taken as it is.
func decodeV3(body []byte) ([]*packet.Packet, error) {
	var parts [][]byte // each with its kind before it
	for len(body) > 0 {
		size, digits, err := lengthV3(body[1:])
		if err != nil {
			return nil, err
		}
		kind, data := body[:1], body[1+digits+1:]
		size = min(size, len(data))
		parts = append(parts, kind, data[:size])
		body = data[size:]
	}
	packets := make([]*packet.Packet, 0, len(parts)/2)
	for part := range slices.Chunk(parts, 2) {
		q, err := packetV3(part[1], part[0][0] == 0)
		if err != nil {
			return packets, err
		}
		packets = append(packets, q)
	}
	return packets, nil
}

// lengthV3 reads the length b begins with. One beyond every body is as good as
// any other such.
func lengthV3(b []byte) (size, digits int, err error) {
	const most = 1 << 30
	digits = bytes.IndexByte(b, endOfLength)
	if digits <= 0 {
		return 0, 0, errPayload
	}
	for _, digit := range b[:digits] {
		if digit > 9 {
			return 0, 0, errPayload
		}
		size = min(size*10+int(digit), most)
	}
	return size, digits, nil
}

func packetV3(b []byte, text bool) (*packet.Packet, error) {
	if !text {
		if len(b) == 0 || b[0] > 6 {
			return &packet.Packet{Type: packet.NOOP}, nil // Node looks at none
		}
		return parser.Parserv3().DecodePacket(types.NewBytesBuffer(b))
	}
	if len(b) > 0 && b[0] != 'b' {
		var err error
		if b, err = textV3(b); err != nil {
			return nil, err
		}
	}
	return parser.Parserv3().DecodePacket(types.NewStringBuffer(b))
}

// textV3 is what Node reads b as: half a surrogate pair is a letter nobody knows,
// whatever else is not UTF-8 is an error.
func textV3(b []byte) ([]byte, error) {
	if utf8.Valid(b) {
		return b, nil
	}
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			if !isHalfPair(b) {
				return nil, errPayload
			}
			n = 3
		}
		out = utf8.AppendRune(out, r)
		b = b[n:]
	}
	return out, nil
}

// isHalfPair says that b begins with a surrogate, which UTF-8 has no place for.
func isHalfPair(b []byte) bool {
	return len(b) >= 3 && b[0] == 0xed && b[1]&0xe0 == 0xa0 && b[2]&0xc0 == 0x80
}
