package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

var hello = bson.D{
	{Key: "helloOk", Value: true}, {Key: "isWritablePrimary", Value: true}, {Key: "ismaster", Value: true},
	{Key: "maxBsonObjectSize", Value: int32(16 << 20)}, {Key: "maxMessageSizeBytes", Value: int32(maxMessage)},
	{Key: "maxWriteBatchSize", Value: int32(100_000)}, {Key: "logicalSessionTimeoutMinutes", Value: int32(30)},
	{Key: "minWireVersion", Value: int32(0)}, {Key: "maxWireVersion", Value: int32(21)}, {Key: "readOnly", Value: false},
}

// failure is an error with the code that drivers look at.
type failure struct {
	code int32
	text string
}

func (f *failure) Error() string { return f.text }

var errUnknown = &failure{59, "this stand-in does not know the command"}

// answer is the document that answers a command.
func (s *store) answer(r *request) []byte {
	d, err := s.run(r)
	if err == nil {
		return reply(d)
	}
	f := &failure{code: 2} // BadValue
	if !errors.As(err, &f) {
		f.text = err.Error()
	}
	b, err := bson.Marshal(bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: r.name + ": " + f.text}, {Key: "code", Value: f.code}})
	if err != nil {
		panic(err) // two numbers and a string
	}
	return b
}

func (s *store) run(r *request) (bson.D, error) {
	switch r.name {
	case "hello", "isMaster", "ismaster":
		return hello, nil
	case "ping", "endSessions":
		return nil, nil
	case "buildInfo", "buildinfo":
		return bson.D{{Key: "version", Value: "7.0.0"}, {Key: "versionArray", Value: bson.A{int32(7), int32(0), int32(0), int32(0)}}}, nil
	case "serverStatus":
		return bson.D{{Key: "opcounters", Value: s.asked.counts()}}, nil
	}
	s.asked.count(r.name)
	time.Sleep(s.delay) // as a database elsewhere would: one waits, the others do not
	c := s.collection(r.coll)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r.name {
	case "find":
		return c.find(r)
	case "insert":
		return c.insertAll(r)
	case "update":
		return c.updateAll(r)
	case "createIndexes":
		docs, err := r.documents("indexes")
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			if err := c.index(d); err != nil {
				return nil, err
			}
		}
		return bson.D{}, nil
	case "listIndexes":
		return cursor(r.coll, c.specs), nil
	}
	return nil, errUnknown
}

// cursor has all documents in its first batch.
func cursor(coll string, docs []bson.Raw) bson.D {
	batch := make(bson.A, len(docs))
	for i, d := range docs {
		batch[i] = d
	}
	return bson.D{{Key: "cursor", Value: bson.D{{Key: "firstBatch", Value: batch}, {Key: "id", Value: int64(0)}, {Key: "ns", Value: coll}}}}
}

func (c *collection) find(r *request) (bson.D, error) {
	filter, _ := r.body.Lookup("filter").DocumentOK()
	if v := r.body.Lookup("skip"); v.Type != 0 && number(v) != 0 {
		return nil, errors.New("skip is not supported")
	}
	docs, err := c.matching(filter)
	if err != nil {
		return nil, err
	}
	if order, ok := r.body.Lookup("sort").DocumentOK(); ok {
		if err := arrange(docs, order); err != nil {
			return nil, err
		}
	}
	if limit := int(number(r.body.Lookup("limit"))); limit > 0 {
		docs = docs[:min(limit, len(docs))]
	}
	if fields, ok := r.body.Lookup("projection").DocumentOK(); ok {
		if docs, err = project(docs, fields); err != nil {
			return nil, err
		}
	}
	return cursor(r.coll, docs), nil
}

// project leaves the _id and the fields that are named.
func project(docs []bson.Raw, fields bson.Raw) ([]bson.Raw, error) {
	named, err := fields.Elements()
	if err != nil {
		return nil, err
	}
	projected := make([]bson.Raw, len(docs))
	for i, d := range docs {
		left := bson.D{{Key: "_id", Value: d.Lookup("_id")}}
		for _, f := range named {
			if number(f.Value()) != 1 {
				return nil, errors.New("only projections that name fields are supported")
			}
			if v := d.Lookup(f.Key()); f.Key() != "_id" && v.Type != 0 {
				left = append(left, bson.E{Key: f.Key(), Value: v})
			}
		}
		if projected[i], err = bson.Marshal(left); err != nil {
			return nil, err
		}
	}
	return projected, nil
}

// insertAll stops at the first document that it cannot insert.
func (c *collection) insertAll(r *request) (bson.D, error) {
	docs, err := r.documents("documents")
	if err != nil {
		return nil, err
	}
	for i, d := range docs {
		if err := c.insert(d); err != nil {
			return writeError(i, i, err)
		}
	}
	return bson.D{{Key: "n", Value: int32(len(docs))}}, nil
}

func writeError(done, at int, err error) (bson.D, error) {
	var f *failure
	if !errors.As(err, &f) {
		return nil, err
	}
	e := bson.D{{Key: "index", Value: int32(at)}, {Key: "code", Value: f.code}, {Key: "errmsg", Value: f.text}}
	return bson.D{{Key: "n", Value: int32(done)}, {Key: "writeErrors", Value: bson.A{e}}}, nil
}

// updateAll knows replacements, $set, $unset, $setOnInsert and upserts by _id, of
// one document each.
func (c *collection) updateAll(r *request) (bson.D, error) {
	statements, err := r.documents("updates")
	if err != nil {
		return nil, err
	}
	matched, modified, upserted := 0, 0, bson.A{}
	for i, st := range statements {
		q, _ := st.Lookup("q").DocumentOK()
		u, ok := st.Lookup("u").DocumentOK()
		if multi, _ := st.Lookup("multi").BooleanOK(); !ok || multi {
			return nil, errors.New("only updates of one document are supported")
		}
		found, err := c.matching(q)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			matched++
			changed, err := c.change(found[0], u)
			if err != nil {
				return nil, err
			}
			if changed {
				modified++
			}
			continue
		}
		if upsert, _ := st.Lookup("upsert").BooleanOK(); upsert {
			id := q.Lookup("_id")
			if _, operators := id.DocumentOK(); id.Type == 0 || operators {
				return nil, errors.New("only upserts by _id are supported")
			}
			fresh, err := updated(bson.D{{Key: "_id", Value: id}}, u, true)
			if err != nil {
				return nil, err
			}
			if err := c.insert(fresh); err != nil {
				return writeError(matched, i, err)
			}
			matched++
			upserted = append(upserted, bson.D{{Key: "index", Value: int32(i)}, {Key: "_id", Value: id}})
		}
	}
	d := bson.D{{Key: "n", Value: int32(matched)}, {Key: "nModified", Value: int32(modified)}}
	if len(upserted) > 0 {
		d = append(d, bson.E{Key: "upserted", Value: upserted})
	}
	return d, nil
}

// updated is a document after an update.
func updated(d bson.D, u bson.Raw, inserting bool) (bson.Raw, error) {
	operators, err := u.Elements()
	if err != nil {
		return nil, err
	}
	if len(operators) == 0 || !strings.HasPrefix(operators[0].Key(), "$") {
		return replaced(d, operators)
	}
	for _, op := range operators {
		fields, ok := op.Value().DocumentOK()
		if name := op.Key(); !ok || name != "$set" && name != "$unset" && name != "$setOnInsert" {
			return nil, fmt.Errorf("the update operator %s is not supported", name)
		}
		if op.Key() == "$setOnInsert" && !inserting {
			continue
		}
		elements, err := fields.Elements()
		if err != nil {
			return nil, err
		}
		for _, e := range elements {
			if op.Key() == "$unset" {
				d = slices.DeleteFunc(d, func(f bson.E) bool { return f.Key == e.Key() })
			} else {
				d = set(d, e.Key(), e.Value())
			}
		}
	}
	return bson.Marshal(d)
}

// replaced is a document with the _id of d and the fields of another.
func replaced(d bson.D, fields []bson.RawElement) (bson.Raw, error) {
	next := bson.D{}
	for _, e := range d {
		if e.Key == "_id" {
			next = append(next, e)
		}
	}
	for _, f := range fields {
		next = set(next, f.Key(), f.Value())
	}
	return bson.Marshal(next)
}

func set(d bson.D, key string, v any) bson.D {
	for i := range d {
		if d[i].Key == key {
			d[i].Value = v
			return d
		}
	}
	return append(d, bson.E{Key: key, Value: v})
}
