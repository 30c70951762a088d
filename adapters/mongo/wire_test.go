package mongo_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"parley/models"
)

// wire stands between a store and its database and notes what passes.
type wire struct {
	ln       net.Listener
	upstream string

	mu    sync.Mutex
	sent  []exchanged
	bytes int
}

// exchanged is a command and how many documents were its answer.
type exchanged struct {
	command bson.Raw
	found   int
}

func newWire(t *testing.T, server string) *wire {
	t.Helper()
	u, err := url.Parse(server)
	must(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w := &wire{ln: ln, upstream: u.Host}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go w.pass(c)
		}
	}()
	return w
}

// through is the address of a database by way of the wire.
func (w *wire) through(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return uri
	}
	u.Host = w.ln.Addr().String()
	return u.String()
}

func (w *wire) pass(client net.Conn) {
	defer func() { _ = client.Close() }()
	up, err := net.Dial("tcp", w.upstream)
	if err != nil {
		return
	}
	defer func() { _ = up.Close() }()
	for {
		question, err := message(client)
		if err != nil {
			return
		}
		if _, err = up.Write(question); err != nil {
			return
		}
		answer, err := message(up)
		if err != nil {
			return
		}
		w.note(question, answer)
		if _, err = client.Write(answer); err != nil {
			return
		}
	}
}

func message(r io.Reader) ([]byte, error) {
	head := make([]byte, 16)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	b := append(head, make([]byte, int(binary.LittleEndian.Uint32(head))-len(head))...)
	_, err := io.ReadFull(r, b[16:])
	return b, err
}

func (w *wire) note(question, answer []byte) {
	command := document(question)
	first, err := command.IndexErr(0)
	if err != nil || first.Key() == "hello" || first.Key() == "endSessions" {
		return
	}
	batch, _ := document(answer).Lookup("cursor", "firstBatch").ArrayOK()
	found, _ := batch.Values()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, exchanged{command, len(found)})
	w.bytes += len(answer)
}

// document is the first of a message; nil of an old one.
func document(message []byte) bson.Raw {
	const body = 16 + 4 + 1
	if binary.LittleEndian.Uint32(message[12:]) != 2013 { // OP_MSG
		return nil
	}
	n := int(binary.LittleEndian.Uint32(message[body:]))
	return slices.Clone(message[body : body+n])
}

func (w *wire) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent, w.bytes = nil, 0
}

// counted is what passed, and what of it MongoDB reads at most, given the
// indexes: of a query of no known kind that cannot be said, which is an error.
type counted struct{ trips, docs, keys, bytes int }

func (w *wire) counted(t *testing.T) (c counted) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	c.trips, c.bytes = len(w.sent), w.bytes
	for _, x := range w.sent {
		docs, keys, err := reads(x)
		if err != nil {
			t.Errorf("%v: %v", err, x.command)
		}
		c.docs += docs
		c.keys += keys
	}
	return c
}

// reads bounds what one command reads.
func reads(x exchanged) (docs, keys int, err error) {
	command := x.command
	switch first := command.Index(0); first.Key() {
	case "insert", "killCursors":
		return 0, 0, nil
	case "getMore":
		return 0, 0, fmt.Errorf("an answer in several pieces")
	case "find":
	default:
		return 0, 0, fmt.Errorf("no bound is known of %s", first.Key())
	}
	filter := command.Lookup("filter").Document()
	n, _ := command.Lookup("limit").AsInt64OK()
	limit := int(n)
	elements, err := filter.Elements()
	if err != nil {
		return 0, 0, err
	}
	switch field := elements[0].Key(); {
	case field == "_id" && len(elements) == 1:
		return listed(filter.Lookup("_id")), 0, nil
	case field == "participants" && len(elements) == 1:
		projection, _ := command.Lookup("projection").DocumentOK()
		fields, _ := projection.Elements()
		if len(fields) == 1 && fields[0].Key() == "_id" {
			return 0, x.found, nil // covered by (participants, _id)
		}
		if len(fields) != 1 || fields[0].Key() != "participants" {
			return 0, 0, fmt.Errorf("more than the participants of chats is read")
		}
		return x.found, x.found, nil
	case field == "user" && elements[1].Key() == "at" && len(elements) == 2:
		return x.found, x.found + 2*listed(filter.Lookup("user")), nil // (user, at)
	case field == "chatId" && elements[1].Key() == "createdAt":
		return ofMessages(command, filter, limit)
	}
	return 0, 0, fmt.Errorf("no bound is known")
}

func ofMessages(command, filter bson.Raw, limit int) (docs, keys int, err error) {
	chats := listed(filter.Lookup("chatId"))
	order, _ := command.Lookup("sort").DocumentOK()
	by, _ := order.Elements()
	single, _ := command.Lookup("singleBatch").BooleanOK()
	if single {
		limit = max(limit, 1)
	}
	switch {
	case chats > 200:
		return 0, 0, fmt.Errorf("%d chats are too many to merge from the index", chats)
	case limit == 0:
		return 0, 0, fmt.Errorf("there is no limit")
	case len(by) != 2 || by[0].Key() != "createdAt" || by[1].Key() != "_id" || !by[0].Value().Equal(by[1].Value()):
		return 0, 0, fmt.Errorf("the order is not the index's")
	}
	if _, ok := filter.Lookup("createdAt").DocumentOK(); !ok {
		return 0, 0, fmt.Errorf("the time is not bounded")
	}
	return limit, limit + chats, nil
}

// listed is how many values a filter names.
func listed(v bson.RawValue) int {
	d, ok := v.DocumentOK()
	if !ok {
		return 1
	}
	values, _ := d.Lookup("$in").Array().Values()
	return len(values)
}

func chatDocument(t *testing.T, c models.Chat) bson.D {
	t.Helper()
	participants := bson.A{}
	for _, u := range c.Participants {
		if id, err := bson.ObjectIDFromHex(string(u)); err == nil {
			participants = append(participants, id)
		} else {
			participants = append(participants, string(u))
		}
	}
	return bson.D{{Key: "_id", Value: oid(t, string(c.ID))}, {Key: "participants", Value: participants}, {Key: "createdAt", Value: bson.NewDateTimeFromTime(c.CreatedAt)}}
}
