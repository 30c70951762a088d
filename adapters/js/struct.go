package js

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
)

// shape is how values of a struct type are read: its fields in their order,
// under the names and with the omissions that encoding/json gives them.
type shape []field

type field struct {
	key       string
	index     int
	omitEmpty bool
}

// shapes are those of the types seen so far; nil for those that only
// encoding/json can read.
var shapes sync.Map // reflect.Type → shape

// shapeOf returns nil for a type with anything unusual in it.
func shapeOf(t reflect.Type) shape {
	if s, known := shapes.Load(t); known {
		s, _ := s.(shape)
		return s
	}
	shapes.Store(t, shape(nil)) // of a type that holds itself
	s := shape{}
	for i := range t.NumField() {
		f, ok := fieldOf(t.Field(i))
		switch {
		case !ok:
			return nil
		case f.key != "":
			f.index = i
			s = append(s, f)
		}
	}
	shapes.Store(t, s)
	return s
}

// fieldOf reads one field's tag; without a key it is one that is not written.
func fieldOf(f reflect.StructField) (described field, ok bool) {
	tag := f.Tag.Get("json")
	if tag == "-" || !f.IsExported() && !f.Anonymous {
		return field{}, true
	}
	key, option, _ := strings.Cut(tag, ",")
	if key == "" {
		key = f.Name
	}
	described = field{key: key, omitEmpty: option == "omitempty"}
	_, sorts := arrayIndex(key) // before the others, whatever the order
	return described, !f.Anonymous && !sorts && (option == "" || described.omitEmpty) && usual(f.Type)
}

var (
	marshaler     = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	jsonNumber    = reflect.TypeFor[json.Number]()
)

// usual says whether a field of that type is what it looks like.
func usual(t reflect.Type) bool {
	if t == jsonNumber {
		return false
	}
	for _, own := range []reflect.Type{marshaler, textMarshaler} {
		if t.Implements(own) || reflect.PointerTo(t).Implements(own) {
			return false
		}
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return true
	case reflect.Slice:
		return t.Elem().Kind() != reflect.Uint8 && usual(t.Elem())
	case reflect.Pointer:
		return usual(t.Elem())
	case reflect.Struct:
		return shapeOf(t) != nil
	default:
		return false
	}
}

// object reads a struct.
func (s shape) object(r reflect.Value) Object {
	o := make(Object, 0, len(s))
	for _, f := range s {
		v := r.Field(f.index)
		if f.omitEmpty && empty(v) {
			continue
		}
		o = append(o, Member{f.key, plain(v)})
	}
	return o
}

// empty is what omitempty leaves out.
func empty(v reflect.Value) bool {
	if v.Kind() == reflect.Slice {
		return v.Len() == 0
	}
	return v.Kind() != reflect.Struct && v.IsZero()
}

// plain reads a value of a usual type.
func plain(v reflect.Value) any {
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Float64:
		return v.Float()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return float64(v.Int())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return float64(v.Uint())
	case reflect.Struct:
		return shapeOf(v.Type()).object(v)
	case reflect.Pointer:
		if !v.IsNil() {
			return plain(v.Elem())
		}
	case reflect.Slice:
		if !v.IsNil() {
			return list(v)
		}
	default:
	}
	return nil
}

func list(v reflect.Value) any {
	if v.Type().Elem().Kind() == reflect.String {
		texts := make([]string, v.Len())
		for i := range texts {
			texts[i] = v.Index(i).String()
		}
		return texts
	}
	values := make([]any, v.Len())
	for i := range values {
		values[i] = plain(v.Index(i))
	}
	return values
}
