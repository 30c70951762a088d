package engineio

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"unicode/utf8"
)

// Framing as of RFC 6455, in the order the ws package of Node checks it. A
// library's reader would wait for what is missing of a frame and so keep a
// buffer for every socket; this one says how far it came.

const (
	finBit  = 0x80
	rsvBits = 0x70
	maskBit = 0x80

	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10

	maxControl   = 125
	maxFragments = 16 << 10
	// readSize is that of a borrowed buffer; a frame that does not fit is copied
	// out of it as it comes.
	readSize = 4 << 10
)

var errPeerClosed = errors.New("the client closed the WebSocket")

func violation(code int, text string) error { return &CloseError{Code: code, Text: text} }

// header is that of one frame.
type header struct {
	fin  bool
	op   byte
	size int64
	mask uint32 // little-endian
	n    int    // its own bytes
}

// parseHeader reads the header b begins with; n is 0 while it is not whole.
func parseHeader(b []byte) (h header, err error) {
	if len(b) < 2 {
		return header{}, nil
	}
	h.fin, h.op, h.size = b[0]&finBit != 0, b[0]&0x0f, int64(b[1]&^maskBit)
	switch {
	case b[0]&rsvBits != 0:
		return h, violation(codeProtocol, "reserved bits must be clear")
	case h.op > opBinary && h.op < opClose || h.op > opPong:
		return h, violation(codeProtocol, "invalid opcode")
	case h.op >= opClose && !h.fin:
		return h, violation(codeProtocol, "a control frame in fragments")
	case h.op >= opClose && h.size > maxControl, h.op == opClose && h.size == 1:
		return h, violation(codeProtocol, "invalid length of a control frame")
	case b[1]&maskBit == 0:
		return h, violation(codeProtocol, "frames must be masked")
	}
	n := 2
	switch h.size {
	case 126:
		if n = 4; len(b) >= n {
			h.size = int64(binary.BigEndian.Uint16(b[2:]))
		}
	case 127:
		if n = 10; len(b) >= n {
			size := binary.BigEndian.Uint64(b[2:])
			if size > 1<<53-1 {
				return h, violation(codeTooBig, "a frame of over 2^53 bytes")
			}
			h.size = int64(size)
		}
	}
	if len(b) < n+4 {
		return h, nil
	}
	h.mask = binary.LittleEndian.Uint32(b[n:])
	h.n = n + 4
	return h, nil
}

// unmask works in place and returns the key for what follows.
func unmask(b []byte, key uint32) uint32 {
	if key == 0 {
		return 0
	}
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(key)
		key = bits.RotateLeft32(key, -8)
	}
	return key
}

// framing puts messages together.
type framing struct {
	limit     int64  // bytes of one message
	message   []byte // what has come of one that is not whole yet
	fragments int
	op        byte // of the message in fragments, or 0

	// The frame that is copied as it comes.
	cur  header
	left int64
}

// frames is told what was read; data is its until it returns. An error ends the
// reading.
type frames interface {
	message(op byte, data []byte) error
	control(op byte, data []byte) error
}

// read takes what is whole off b, working in it, and says how much that was. A
// rest that is no more than readSize is needed again, with what follows.
func (f *framing) read(b []byte, to frames) (used int, err error) {
	for {
		if f.left > 0 {
			k := int(min(f.left, int64(len(b)-used)))
			part := b[used : used+k]
			f.cur.mask = unmask(part, f.cur.mask)
			f.message = append(f.message, part...)
			used += k
			if f.left -= int64(k); f.left > 0 {
				return used, nil
			}
			if err := f.endFrame(nil, to); err != nil {
				return used, err
			}
			continue
		}
		h, err := parseHeader(b[used:])
		if err == nil && len(b)-used >= 2 {
			err = f.check(h)
		}
		if err != nil || h.n == 0 {
			return used, err
		}
		body := b[used+h.n:]
		switch {
		case int64(len(body)) >= h.size:
			data := body[:h.size:h.size]
			used += h.n + int(h.size)
			unmask(data, h.mask)
			if err := f.whole(h, data, to); err != nil {
				return used, err
			}
		case int64(h.n)+h.size <= readSize:
			return used, nil
		default:
			f.begin(h)
			used += h.n
		}
	}
}

// check says whether a frame may come now.
func (f *framing) check(h header) error {
	switch {
	case h.op >= opClose:
		return nil
	case h.op == opContinuation && f.op == 0:
		return violation(codeProtocol, "a continuation of nothing")
	case h.op != opContinuation && f.op != 0:
		return violation(codeProtocol, "a message amid another")
	case h.n > 0 && int64(len(f.message))+h.size > f.limit:
		return violation(codeTooBig, "max payload size exceeded")
	case f.fragments >= maxFragments:
		return violation(codePolicy, "too many fragments")
	}
	return nil
}

// begin notes the data frame whose payload comes next.
func (f *framing) begin(h header) {
	f.cur, f.left = h, h.size
	if h.op != opContinuation {
		f.op = h.op
	}
}

// whole takes a frame that was read in one piece.
func (f *framing) whole(h header, data []byte, to frames) error {
	if h.op >= opClose {
		return to.control(h.op, data)
	}
	f.begin(h)
	f.left = 0
	return f.endFrame(data, to)
}

// endFrame takes the end of a data frame: of it, data is not in f.message yet.
func (f *framing) endFrame(data []byte, to frames) error {
	if !f.cur.fin {
		f.message = append(f.message, data...)
		f.fragments++
		return nil
	}
	if f.message != nil {
		data = append(f.message, data...)
	}
	op := f.op
	f.message, f.fragments, f.op = nil, 0, 0
	if op == opText && !utf8.Valid(data) {
		return violation(codeNotUTF8, "text that is not UTF-8")
	}
	return to.message(op, data)
}

// closeError reads what a client says as it closes.
func closeError(data []byte) (*CloseError, error) {
	if len(data) < closeCodeSize {
		return &CloseError{Code: codeNoStatus}, nil
	}
	code, text := int(binary.BigEndian.Uint16(data)), data[closeCodeSize:]
	valid := code >= 1000 && code <= 1014 && code != 1004 && code != codeNoStatus && code != 1006 || code >= 3000 && code <= 4999
	switch {
	case !valid:
		return nil, violation(codeProtocol, "invalid close code")
	case !utf8.Valid(text):
		return nil, violation(codeNotUTF8, "text that is not UTF-8")
	}
	return &CloseError{Code: code, Text: string(text)}, nil
}
