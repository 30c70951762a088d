// Command fastmongo answers the MongoDB protocol from memory in microseconds,
// so that a measurement of chat servers is not one of their database. It knows
// the commands and operators that Parley and the Node control send in their
// ordinary flow and refuses all others. It is no database: nothing is kept, and
// an index is a hash on the first field.
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	opReply    = 1
	opQuery    = 2004 // a driver's first hello
	opMsg      = 2013
	maxMessage = 48_000_000
	moreToCome = 1 << 1 // no answer is wanted
)

func main() {
	delay := flag.Duration("delay", 0, "how long each query and each write takes at least")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: fastmongo [-delay D] ADDRESS")
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, "fastmongo:", run(flag.Arg(0), *delay))
	os.Exit(1)
}

// run serves until that fails; it is ended by a signal.
func run(address string, delay time.Duration) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("mongodb://%s/\n", listener.Addr())
	s := newStore()
	s.delay = delay
	return serve(listener, s)
}

func serve(listener net.Listener, s *store) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer func() { _ = conn.Close() }()
			if err := s.converse(conn); !errors.Is(err, io.EOF) {
				fmt.Fprintln(os.Stderr, "fastmongo:", err)
			}
		}()
	}
}

// converse answers one connection's requests, one after the other, until it ends.
func (s *store) converse(conn io.ReadWriter) error {
	in := bufio.NewReaderSize(conn, 16<<10)
	var head [16]byte
	for {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return err
		}
		size := int(binary.LittleEndian.Uint32(head[:])) - len(head)
		if size < 4 || size > maxMessage {
			return fmt.Errorf("a message of %d bytes", size)
		}
		message := make([]byte, size)
		if _, err := io.ReadFull(in, message); err != nil {
			return err
		}
		var out []byte
		switch op := binary.LittleEndian.Uint32(head[12:]); op {
		case opMsg:
			r, wanted, err := parse(message)
			if err != nil {
				return err
			}
			answer := s.answer(r)
			if !wanted {
				continue
			}
			out = append(header(head[4:8], opMsg), 0, 0, 0, 0, 0)
			out = append(out, answer...)
		case opQuery:
			out = append(header(head[4:8], opReply), make([]byte, 16)...)
			out = append(append(out, 1, 0, 0, 0), reply(hello)...)
		default:
			return fmt.Errorf("opcode %d", op)
		}
		binary.LittleEndian.PutUint32(out, uint32(len(out)))
		if _, err := conn.Write(out); err != nil {
			return err
		}
	}
}

// header is a message's, its length still to be filled in.
func header(answers []byte, op uint32) []byte {
	h := make([]byte, 8, 256)
	return binary.LittleEndian.AppendUint32(append(h, answers...), op)
}

// request is one command.
type request struct {
	name string
	coll string // database and collection
	body bson.Raw
	more []bson.Raw // documents sent outside the body
}

var errUnsound = errors.New("an unsound message")

func parse(b []byte) (r *request, wanted bool, err error) {
	r = &request{}
	flags := binary.LittleEndian.Uint32(b)
	for b = b[4:]; len(b) > 0; {
		kind := b[0]
		part, rest, ok := document(b[1:])
		if b = rest; !ok || kind > 1 {
			return nil, false, errUnsound
		}
		if kind == 0 {
			r.body = part
			continue
		}
		i := 4
		for i < len(part) && part[i] != 0 {
			i++
		}
		for docs := part[min(i+1, len(part)):]; len(docs) > 0; {
			d, rest, ok := document(docs)
			if docs = rest; !ok {
				return nil, false, errUnsound
			}
			r.more = append(r.more, d)
		}
	}
	first, err := r.body.IndexErr(0)
	if err != nil {
		return nil, false, errUnsound
	}
	r.name = first.Key()
	coll, _ := first.Value().StringValueOK()
	db, _ := r.body.Lookup("$db").StringValueOK()
	r.coll = db + "." + coll
	return r, flags&moreToCome == 0, nil
}

// document cuts off what begins with its own length, as a section does too.
func document(b []byte) (d bson.Raw, rest []byte, ok bool) {
	if len(b) < 5 {
		return nil, nil, false
	}
	n := int(binary.LittleEndian.Uint32(b))
	if n < 5 || n > len(b) {
		return nil, nil, false
	}
	return b[:n:n], b[n:], true
}

// documents are those of an array, wherever they were sent.
func (r *request) documents(field string) ([]bson.Raw, error) {
	if r.more != nil {
		return r.more, nil
	}
	list, ok := r.body.Lookup(field).ArrayOK()
	if !ok {
		return nil, fmt.Errorf("%s has no %s", r.name, field)
	}
	values, err := list.Values()
	docs := make([]bson.Raw, len(values))
	for i, v := range values {
		docs[i], ok = v.DocumentOK()
		if !ok {
			return nil, fmt.Errorf("%s: %s must be documents", r.name, field)
		}
	}
	return docs, err
}

// reply marshals what this program made itself.
func reply(d bson.D) []byte {
	b, err := bson.Marshal(append(d, bson.E{Key: "ok", Value: 1.0}))
	if err != nil {
		panic(err)
	}
	return b
}
