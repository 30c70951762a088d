//go:build !noembed

package embedded

import (
	"encoding/binary"
	"fmt"
	"io"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	// maxWireMessage is MongoDB's own bound for one message.
	maxWireMessage    = 48_000_000
	opMsg             = 2013
	flagMoreToCome    = 1 << 1
	wireHeaderBytes   = 16
	smallMessageBytes = 64 << 10
)

// request is one message of a client as far as the gate cares.
type request struct {
	command string
	silent  bool // the client wants no answer
}

// readRequest looks into a message. One it cannot read has no command, which
// counts as a write and so is always safe.
func readRequest(b []byte) (r request) {
	const body = wireHeaderBytes + 4 + 1 // flags, kind of the first section
	if len(b) < wireHeaderBytes+4 {
		return r
	}
	if binary.LittleEndian.Uint32(b[12:]) != opMsg {
		r.command = "hello" // the old handshake; FerretDB refuses all others
		return r
	}
	r.silent = b[wireHeaderBytes]&flagMoreToCome != 0
	if len(b) < body+5 || b[body-1] != 0 {
		return r
	}
	n := int(binary.LittleEndian.Uint32(b[body:]))
	if n < 5 || n > len(b)-body {
		return r
	}
	first, err := bson.Raw(b[body : body+n]).IndexErr(0)
	if err != nil {
		return r
	}
	r.command = first.Key()
	return r
}

// readWire reads one message, into buf where it is large enough.
func readWire(r io.Reader, buf []byte) ([]byte, error) {
	if cap(buf) < wireHeaderBytes || cap(buf) > smallMessageBytes {
		buf = make([]byte, 4096)
	}
	buf = buf[:wireHeaderBytes]
	if _, err := io.ReadFull(r, buf); err != nil {
		return nil, err
	}
	n := int(binary.LittleEndian.Uint32(buf))
	if n < wireHeaderBytes || n > maxWireMessage {
		return nil, fmt.Errorf("message of %d bytes", n)
	}
	if n > cap(buf) {
		buf = append(make([]byte, 0, n), buf...)
	}
	buf = buf[:n]
	_, err := io.ReadFull(r, buf[wireHeaderBytes:])
	return buf, err
}
