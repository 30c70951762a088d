package main

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

type store struct {
	delay time.Duration // of each command that reads or writes documents
	asked tally

	mu    sync.Mutex
	colls map[string]*collection
}

func newStore() *store {
	return &store{colls: map[string]*collection{}, asked: tally{by: map[string]int64{}}}
}

// tally counts commands by their names: each is a round trip.
type tally struct {
	mu sync.Mutex
	by map[string]int64
}

func (t *tally) count(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.by[name]++
}

func (t *tally) counts() bson.D {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := bson.D{}
	for name, n := range t.by {
		d = append(d, bson.E{Key: name, Value: n})
	}
	return d
}

func (s *store) collection(name string) *collection {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.colls[name]
	if c == nil {
		c = &collection{docs: map[string]bson.Raw{}, indexes: map[string]map[string][]string{}}
		// The control makes no indexes; a database that is in use has them.
		for _, field := range []string{"participants", "chatId"} {
			c.indexes[field] = map[string][]string{}
		}
		s.colls[name] = c
	}
	return c
}

// collection holds documents by their _id.
type collection struct {
	mu      sync.Mutex
	docs    map[string]bson.Raw
	indexes map[string]map[string][]string // ids by field and value
	specs   []bson.Raw
}

// key is what a value is found by.
func key(v bson.RawValue) string { return string(append([]byte{byte(v.Type)}, v.Value...)) }

func (c *collection) insert(d bson.Raw) error {
	id := d.Lookup("_id")
	if id.Type == 0 {
		return &failure{2, "a document without _id"}
	}
	k := key(id)
	if _, taken := c.docs[k]; taken {
		return &failure{11000, "E11000 duplicate key error index: _id_ dup key: { _id: " + id.String() + " }"}
	}
	c.docs[k] = bytes.Clone(d)
	for field, index := range c.indexes {
		for _, v := range alternatives(d.Lookup(field)) {
			index[key(v)] = append(index[key(v)], k)
		}
	}
	return nil
}

// alternatives are the values that a field is found by: of an array, each.
func alternatives(v bson.RawValue) []bson.RawValue {
	list, ok := v.ArrayOK()
	if !ok {
		return []bson.RawValue{v}
	}
	values, err := list.Values()
	if err != nil {
		return nil
	}
	return values
}

func (c *collection) index(spec bson.Raw) error {
	if fields, ok := spec.Lookup("key").DocumentOK(); !ok || len(fields) < 6 {
		return &failure{9, "an index without keys"}
	}
	c.specs = append(c.specs, bytes.Clone(spec))
	return nil
}

// change updates a stored document; fields that are looked up by stay.
func (c *collection) change(old, u bson.Raw) (bool, error) {
	var d bson.D
	if err := bson.Unmarshal(old, &d); err != nil {
		return false, err
	}
	next, err := updated(d, u, false)
	if err != nil || bytes.Equal(next, old) {
		return false, err
	}
	for field := range c.indexes {
		if !old.Lookup(field).Equal(next.Lookup(field)) {
			return false, &failure{2, "updates of " + field + " are not supported"}
		}
	}
	c.docs[key(old.Lookup("_id"))] = next
	return true, nil
}

// matching returns the documents that match: by _id or an index, else by
// reading them all.
func (c *collection) matching(filter bson.Raw) (found []bson.Raw, err error) {
	rest := filter
	take := func(d bson.Raw) {
		if err == nil {
			var ok bool
			if ok, err = matches(d, rest); ok {
				found = append(found, d)
			}
		}
	}
	if ids := wanted(filter.Lookup("_id")); len(ids) > 0 {
		if rest, err = without(filter, "_id"); err != nil {
			return nil, err
		}
		for _, v := range ids {
			if d, ok := c.docs[key(v)]; ok {
				take(d)
			}
		}
		return found, err
	}
	for field, index := range c.indexes {
		values := wanted(filter.Lookup(field))
		if len(values) == 0 {
			continue
		}
		if rest, err = without(filter, field); err != nil {
			return nil, err
		}
		seen := map[string]bool{}
		for _, v := range values {
			for _, id := range index[key(v)] {
				if !seen[id] {
					seen[id] = true
					take(c.docs[id])
				}
			}
		}
		return found, err
	}
	for _, d := range c.docs {
		take(d)
	}
	return found, err
}

// without is the filter less what an index has answered: to look through
// hundreds of values once more for each document would take longer than all else.
func without(filter bson.Raw, field string) (bson.Raw, error) {
	elements, err := filter.Elements()
	if err != nil {
		return nil, err
	}
	rest := bson.D{}
	for _, e := range elements {
		if e.Key() != field {
			rest = append(rest, bson.E{Key: e.Key(), Value: e.Value()})
			continue
		}
		operators, _ := e.Value().DocumentOK()
		if several, _ := operators.Elements(); len(several) > 1 { // $in is not all that is asked
			rest = append(rest, bson.E{Key: e.Key(), Value: e.Value()})
		}
	}
	return bson.Marshal(rest)
}

// wanted are the values that a filter says a field has one of; none where it
// says something else.
func wanted(v bson.RawValue) []bson.RawValue {
	d, ok := v.DocumentOK()
	if !ok {
		if v.Type == 0 {
			return nil
		}
		return []bson.RawValue{v}
	}
	list, ok := d.Lookup("$in").ArrayOK()
	if !ok {
		return nil
	}
	values, err := list.Values()
	if err != nil {
		return nil
	}
	return values
}

// arrange sorts documents.
func arrange(docs []bson.Raw, order bson.Raw) error {
	keys, err := order.Elements()
	if err != nil {
		return err
	}
	slices.SortStableFunc(docs, func(a, b bson.Raw) int {
		for _, k := range keys {
			if n := compare(a.Lookup(k.Key()), b.Lookup(k.Key())); n != 0 {
				return n * int(number(k.Value()))
			}
		}
		return 0
	})
	return nil
}

// compare orders values of one type as MongoDB does, and types by their number.
func compare(a, b bson.RawValue) int {
	if x, y := number(a), number(b); x != y {
		if x < y {
			return -1
		}
		return 1
	}
	if a.Type != b.Type {
		return int(a.Type) - int(b.Type)
	}
	if x, ok := a.StringValueOK(); ok {
		return strings.Compare(x, b.StringValue())
	}
	return bytes.Compare(a.Value, b.Value)
}

// number is the value of a number or a date, 0 of all else.
func number(v bson.RawValue) float64 {
	if n, ok := v.AsInt64OK(); ok {
		return float64(n)
	}
	if n, ok := v.DoubleOK(); ok {
		return n
	}
	if n, ok := v.DateTimeOK(); ok {
		return float64(n)
	}
	return 0
}
