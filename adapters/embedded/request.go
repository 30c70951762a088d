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
	id      [4]byte
	body    bson.Raw // nil where it was not read
}

func (r request) database() string {
	name, _ := r.body.Lookup("$db").StringValueOK()
	return name
}

// collection is what the command is about.
func (r request) collection() string {
	name, _ := r.body.Lookup(r.command).StringValueOK()
	return name
}

// reply is the answer to a find, all of it; nil where it cannot be made.
func reply(r request, docs []bson.Raw) []byte {
	batch := make(bson.A, len(docs))
	for i, d := range docs {
		batch[i] = d
	}
	body, err := bson.Marshal(bson.D{
		{Key: "cursor", Value: bson.D{{Key: "firstBatch", Value: batch}, {Key: "id", Value: int64(0)}, {Key: "ns", Value: r.database() + "." + r.collection()}}},
		{Key: "ok", Value: 1.0},
	})
	if err != nil {
		return nil
	}
	const before = wireHeaderBytes + 4 + 1 // flags, kind of the section
	b := make([]byte, before, before+len(body))
	binary.LittleEndian.PutUint32(b, uint32(before+len(body)))
	copy(b[8:], r.id[:])
	binary.LittleEndian.PutUint32(b[12:], opMsg)
	return append(b, body...)
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
	r.command, r.body = first.Key(), bson.Raw(b[body:body+n])
	copy(r.id[:], b[4:])
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
