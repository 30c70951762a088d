//go:build !noembed

package embedded

import (
	"encoding/json"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// FerretDB keeps a document as JSON with the types of its fields beside it, in
// "$s". What is read here is what Parley and Mongoose store; errOther says that
// a document has more, which is FerretDB's to read.
var errOther = errors.New("a type that is not read here")

type schema struct {
	Properties map[string]*element `json:"p"`
	Keys       []string            `json:"$k"`
}

type element struct {
	Type   string     `json:"t"`
	Schema *schema    `json:"$s"`
	Items  []*element `json:"i"`
}

// decode reads a stored document.
func decode(stored []byte) (bson.D, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(stored, &fields); err != nil {
		return nil, fmt.Errorf("a stored document: %w", err)
	}
	var s schema
	if err := json.Unmarshal(fields["$s"], &s); err != nil {
		return nil, fmt.Errorf("the types of a stored document: %w", err)
	}
	return s.document(fields)
}

func (s *schema) document(fields map[string]json.RawMessage) (bson.D, error) {
	d := make(bson.D, 0, len(s.Keys))
	for _, k := range s.Keys {
		v, err := s.Properties[k].value(fields[k])
		if err != nil {
			return nil, err
		}
		d = append(d, bson.E{Key: k, Value: v})
	}
	return d, nil
}

func (e *element) value(stored json.RawMessage) (any, error) {
	switch {
	case string(stored) == "null":
		return nil, nil
	case e == nil:
		return nil, errOther
	}
	switch e.Type {
	case "string":
		return read[string](stored)
	case "objectId":
		hex, err := read[string](stored)
		if err != nil {
			return nil, err
		}
		return bson.ObjectIDFromHex(hex)
	case "date":
		ms, err := read[int64](stored)
		return bson.DateTime(ms), err
	case "bool":
		return read[bool](stored)
	case "int":
		return read[int32](stored)
	case "long":
		return read[int64](stored)
	case "double":
		return read[float64](stored)
	case "array":
		return e.array(stored)
	case "object":
		if e.Schema == nil {
			return nil, errOther
		}
		fields, err := read[map[string]json.RawMessage](stored)
		if err != nil {
			return nil, err
		}
		return e.Schema.document(fields)
	}
	return nil, errOther
}

func (e *element) array(stored json.RawMessage) (bson.A, error) {
	items, err := read[[]json.RawMessage](stored)
	if err != nil {
		return nil, err
	}
	if len(items) != len(e.Items) {
		return nil, errOther
	}
	a := make(bson.A, len(items))
	for i, item := range items {
		if a[i], err = e.Items[i].value(item); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func read[T any](stored json.RawMessage) (v T, err error) {
	if err = json.Unmarshal(stored, &v); err != nil {
		err = fmt.Errorf("a stored value: %w", err)
	}
	return v, err
}
