package main

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// WebSocket opcodes.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
)

const maxFrame = 16 << 20

var (
	errMasked   = errors.New("a masked frame from the server")
	errReserved = errors.New("reserved bits in a frame: compression was not offered")
	errTooLarge = errors.New("a frame of more than 16 MiB")
)

type frame struct {
	fin     bool
	op      byte
	payload []byte
}

// nextFrame reads one frame of a server from the front of b. n is the number of
// bytes it takes, 0 where b holds only part of it.
func nextFrame(b []byte) (f frame, n int, err error) {
	if len(b) < 2 {
		return f, 0, nil
	}
	if b[0]&0x70 != 0 {
		return f, 0, errReserved
	}
	if b[1]&0x80 != 0 {
		return f, 0, errMasked
	}
	size, head := uint64(b[1]&0x7f), 2
	switch size {
	case 126:
		if head = 4; len(b) < head {
			return f, 0, nil
		}
		size = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if head = 10; len(b) < head {
			return f, 0, nil
		}
		size = binary.BigEndian.Uint64(b[2:])
	}
	if size > maxFrame {
		return f, 0, errTooLarge
	}
	end := head + int(size)
	if len(b) < end {
		return f, 0, nil
	}
	return frame{fin: b[0]&0x80 != 0, op: b[0] & 0x0f, payload: b[head:end]}, end, nil
}

// clientFrame makes one masked text frame. The mask is zero, which is valid and
// costs the load nothing; the server unmasks all the same.
func clientFrame(payload string) []byte {
	out := make([]byte, 0, len(payload)+8)
	out = append(out, 0x80|opText)
	if n := len(payload); n < 126 {
		out = append(out, 0x80|byte(n))
	} else {
		out = append(out, 0x80|126, byte(n>>8), byte(n))
	}
	out = append(out, 0, 0, 0, 0)
	return append(out, payload...)
}

// numberAfter reads the whole number that follows the first mark in b.
func numberAfter(b, mark []byte) (v int, ok bool) {
	i := bytes.Index(b, mark)
	if i < 0 {
		return 0, false
	}
	for _, c := range b[i+len(mark):] {
		if c < '0' || c > '9' {
			break
		}
		v, ok = v*10+int(c-'0'), true
	}
	return v, ok
}
