package hub

import (
	"bytes"
	"errors"
	"iter"
	"slices"
	"strconv"
	"unicode/utf16"
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

// packetsV3 reads a body as Node does: of one that is not of that form, nothing;
// else its packets up to the first that cannot be read. What is cut short is
// taken as it is.
func packetsV3(body []byte) iter.Seq2[*packet.Packet, error] {
	return func(yield func(*packet.Packet, error) bool) {
		for rest := body; len(rest) > 0; {
			var err error
			if _, _, rest, err = partV3(rest); err != nil {
				yield(nil, err)
				return
			}
		}
		for rest := body; len(rest) > 0; {
			var kind byte
			var part []byte
			kind, part, rest, _ = partV3(rest)
			q, err := packetV3(part, kind == 0)
			if !yield(q, err) || err != nil {
				return
			}
		}
	}
}

// partV3 takes one packet off a body that is not empty.
func partV3(body []byte) (kind byte, part, rest []byte, err error) {
	size, digits, err := lengthV3(body[1:])
	if err != nil {
		return 0, nil, nil, err
	}
	data := body[1+digits+1:]
	size = min(size, len(data))
	return body[0], data[:size], data[size:], nil
}

// textPacketsV3 reads a body without binary: each packet's length in UTF-16
// units, a colon, the packet. It is the library's way, one packet at a time.
func textPacketsV3(body []byte) iter.Seq2[*packet.Packet, error] {
	return func(yield func(*packet.Packet, error) bool) {
		if len(body) == 0 { // which the library takes for no packets
			yield(nil, errPayload)
			return
		}
		for len(body) > 0 {
			part, rest, err := textPartV3(body)
			if err != nil {
				yield(nil, err)
				return
			}
			if body = rest; len(part) == 0 {
				continue
			}
			q, err := parser.Parserv3().DecodePacket(types.NewStringBuffer(part), false)
			if !yield(q, err) || err != nil {
				return
			}
		}
	}
}

func textPartV3(body []byte) (part, rest []byte, err error) {
	digits, data, found := bytes.Cut(body, []byte{':'})
	units, err := strconv.Atoi(string(digits))
	if !found || err != nil || units < 0 {
		return nil, nil, errPayload
	}
	for at := 0; ; {
		if units <= 0 {
			part = data[:at]
			if !utf8.Valid(part) {
				part = []byte(string([]rune(string(part)))) // a letter nobody knows for each byte
			}
			return part, data[at:], nil
		}
		if at == len(data) {
			return nil, nil, errPayload
		}
		r, n := utf8.DecodeRune(data[at:])
		units -= max(1, utf16.RuneLen(r))
		at += n
	}
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
