package engineio

import (
	"bytes"
	"fmt"
	"iter"
	"unicode/utf8"
)

// A payload of protocol 4 is packets of text with a record separator between
// them; binary messages are b and base64.
const separator = 0x1e

func encodeV4(frames []*Frame) []byte {
	size := len(frames)
	for _, f := range frames {
		size += len(f.in(dialectV4b64).payload())
	}
	body := make([]byte, 0, size)
	for i, f := range frames {
		if i > 0 {
			body = append(body, separator)
		}
		body = append(body, f.in(dialectV4b64).payload()...)
	}
	return body
}

// packetsV4 reads a body: of one with a part that is no packet, nothing.
func packetsV4(body []byte) iter.Seq2[packet, error] {
	return func(yield func(packet, error) bool) {
		for part := range bytes.SplitSeq(body, []byte{separator}) {
			if len(part) == 0 || part[0] != 'b' && (part[0] < packetOpen || part[0] > packetNoop) {
				yield(packet{}, fmt.Errorf("%w in the payload", errPacket))
				return
			}
		}
		for part := range bytes.SplitSeq(body, []byte{separator}) {
			if !utf8.Valid(part) {
				part = []byte(string([]rune(string(part)))) // a letter nobody knows for each byte
			}
			if p, err := parseText(4, part); !yield(p, err) || err != nil {
				return
			}
		}
	}
}
