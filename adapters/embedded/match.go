//go:build !noembed

package embedded

import (
	"bytes"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// matches says whether a document matches a filter of the kinds that are read by
// index; errOther for any other.
func matches(d, filter bson.Raw) (bool, error) {
	elements, err := filter.Elements()
	if err != nil {
		return false, err
	}
	for _, e := range elements {
		ok, err := holds(d, e.Key(), e.Value())
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

func holds(d bson.Raw, key string, want bson.RawValue) (bool, error) {
	if index, ok := strings.CutPrefix(key, "participants."); ok {
		return without(d, index, want)
	}
	switch key {
	case "$and", "$or":
		return combined(d, key, want)
	case "_id", "chatId", "createdAt", "participants", "user", "at":
	default:
		return false, errOther
	}
	have := d.Lookup(key)
	operators, ok := want.DocumentOK()
	if !ok {
		return anyOf(have, func(v bson.RawValue) bool { return v.Equal(want) }), nil
	}
	elements, err := operators.Elements()
	if err != nil {
		return false, err
	}
	for _, op := range elements {
		f, err := operator(op.Key(), op.Value())
		if err != nil || !anyOf(have, f) {
			return false, err
		}
	}
	return true, nil
}

// without is participants.N: {$exists: false}, there are no more than N of them.
func without(d bson.Raw, index string, want bson.RawValue) (bool, error) {
	n, err := strconv.Atoi(index)
	operators, ok := want.DocumentOK()
	exists, isBool := operators.Lookup("$exists").BooleanOK()
	if err != nil || !ok || !isBool || exists {
		return false, errOther
	}
	participants, ok := d.Lookup("participants").ArrayOK()
	if !ok {
		return true, nil
	}
	values, err := participants.Values()
	return len(values) <= n, err
}

func combined(d bson.Raw, key string, filters bson.RawValue) (bool, error) {
	values, err := list(filters)
	if err != nil {
		return false, err
	}
	for _, v := range values {
		f, ok := v.DocumentOK()
		if !ok {
			return false, errOther
		}
		ok, err := matches(d, f)
		if err != nil || ok == (key == "$or") {
			return ok, err
		}
	}
	return key == "$and", nil
}

// operator is a condition; values of another type meet none of those that compare.
func operator(name string, want bson.RawValue) (func(bson.RawValue) bool, error) {
	compared := func(meets func(int) bool) (func(bson.RawValue) bool, error) {
		if want.Type != bson.TypeDateTime && want.Type != bson.TypeObjectID {
			return nil, errOther
		}
		return func(v bson.RawValue) bool { return v.Type == want.Type && meets(compare(v, want)) }, nil
	}
	switch name {
	case "$in":
		values, err := list(want)
		return func(v bson.RawValue) bool { return anyEqual(values, v) }, err
	case "$gt":
		return compared(func(c int) bool { return c > 0 })
	case "$gte":
		return compared(func(c int) bool { return c >= 0 })
	case "$lt":
		return compared(func(c int) bool { return c < 0 })
	case "$lte":
		return compared(func(c int) bool { return c <= 0 })
	case "$type":
		if kind, _ := want.StringValueOK(); kind == "date" {
			return func(v bson.RawValue) bool { return v.Type == bson.TypeDateTime }, nil
		}
	}
	return nil, errOther
}

func anyOf(v bson.RawValue, f func(bson.RawValue) bool) bool {
	if f(v) {
		return true
	}
	values, err := list(v)
	if err != nil {
		return false
	}
	for _, v := range values {
		if f(v) {
			return true
		}
	}
	return false
}

func anyEqual(values []bson.RawValue, v bson.RawValue) bool {
	for _, w := range values {
		if w.Equal(v) {
			return true
		}
	}
	return false
}

// compare orders two dates or two ObjectIds.
func compare(a, b bson.RawValue) int {
	if x, ok := a.DateTimeOK(); ok {
		switch y := b.DateTime(); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	return bytes.Compare(a.Value, b.Value)
}

// list is the values of an array; errOther where it is none.
func list(v bson.RawValue) ([]bson.RawValue, error) {
	array, ok := v.ArrayOK()
	if !ok {
		return nil, errOther
	}
	return array.Values()
}
