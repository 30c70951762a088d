package engineio

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// A payload of protocol 3 is one packet after the other. As text, each is its
// length in UTF-16 units, a colon, the packet. Where something in it is binary
// and the client takes that, each is
//
//	0 for text, anything else for binary; its length, a byte for each digit; 255; the packet
//
// and the length counts bytes, those of UTF-8 for text.

const endOfLength = 0xff

func encodeV3(frames []*Frame, base64 bool) (body []byte, text bool) {
	if !base64 && slices.ContainsFunc(frames, (*Frame).Binary) {
		return encodeBinaryV3(frames), false
	}
	for _, f := range frames {
		packet := f.in(dialectV3b64).payload()
		size := len(packet)
		if !f.isBinary {
			size = f.length16()
		}
		body = append(strconv.AppendInt(body, int64(size), 10), ':')
		body = append(body, packet...)
	}
	return body, true
}

func encodeBinaryV3(frames []*Frame) (body []byte) {
	for _, f := range frames {
		packet := f.in(dialectV3).payload()
		kind := byte(0)
		if f.isBinary {
			kind = 1
		}
		body = append(body, kind)
		for _, digit := range []byte(strconv.Itoa(len(packet))) {
			body = append(body, digit-'0')
		}
		body = append(append(body, endOfLength), packet...)
	}
	return body
}

// packetsV3 reads a binary body as Node does: of one that is not of that form,
// nothing; else its packets up to the first that cannot be read. What is cut
// short is taken as it is.
func packetsV3(body []byte) iter.Seq2[packet, error] {
	return func(yield func(packet, error) bool) {
		for rest := body; len(rest) > 0; {
			var err error
			if _, _, rest, err = partV3(rest); err != nil {
				yield(packet{}, err)
				return
			}
		}
		for rest := body; len(rest) > 0; {
			var text bool
			var part []byte
			text, part, rest, _ = partV3(rest)
			p, err := packetV3(part, text)
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// partV3 takes one packet off a body that is not empty.
func partV3(body []byte) (text bool, part, rest []byte, err error) {
	size, digits, err := lengthV3(body[1:])
	if err != nil {
		return false, nil, nil, err
	}
	data := body[1+digits+1:]
	size = min(size, len(data))
	return body[0] == 0, data[:size], data[size:], nil
}

// lengthV3 reads the length b begins with. One beyond every body is as good as
// any other such.
func lengthV3(b []byte) (size, digits int, err error) {
	const most = 1 << 30
	digits = bytes.IndexByte(b, endOfLength)
	if digits <= 0 {
		return 0, 0, fmt.Errorf("%w: a length without an end", errPacket)
	}
	for _, digit := range b[:digits] {
		if digit > 9 {
			return 0, 0, fmt.Errorf("%w: a length with a digit of %d", errPacket, digit)
		}
		size = min(size*10+int(digit), most)
	}
	return size, digits, nil
}

func packetV3(b []byte, text bool) (packet, error) {
	if !text {
		return parseBinary(b), nil
	}
	if len(b) > 0 && b[0] != 'b' {
		var err error
		if b, err = textV3(b); err != nil {
			return packet{}, err
		}
	}
	return parseText(3, b)
}

// textPacketsV3 reads a body of text, up to the first packet that is none.
func textPacketsV3(body []byte) iter.Seq2[packet, error] {
	return func(yield func(packet, error) bool) {
		if len(body) == 0 {
			yield(packet{}, fmt.Errorf("%w: the body is empty", errPacket))
			return
		}
		for len(body) > 0 {
			part, rest, err := textPartV3(body)
			if err != nil {
				yield(packet{}, err)
				return
			}
			if body = rest; len(part) == 0 {
				continue
			}
			p, err := parseText(3, part)
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

func textPartV3(body []byte) (part, rest []byte, err error) {
	digits, data, found := bytes.Cut(body, []byte{':'})
	units, err := strconv.Atoi(string(digits))
	if !found || err != nil || units < 0 {
		return nil, nil, fmt.Errorf("%w: no length", errPacket)
	}
	at := 0
	for units > 0 {
		if at == len(data) {
			return nil, nil, fmt.Errorf("%w: cut short", errPacket)
		}
		r, n := utf8.DecodeRune(data[at:])
		units -= max(1, utf16.RuneLen(r))
		at += n
	}
	part = data[:at]
	if !utf8.Valid(part) {
		part = []byte(string([]rune(string(part)))) // a letter nobody knows for each byte
	}
	return part, data[at:], nil
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
				return nil, fmt.Errorf("%w: text that is not UTF-8", errPacket)
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
