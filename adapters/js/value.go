package js

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"
)

// Object is a map whose keys keep their order, as JavaScript's do. A member
// whose value is Undefined is left out, as JSON.stringify and notepack do.
type Object []Member

// Member is one entry of an Object.
type Member struct {
	Key   string
	Value any
}

// Undefined is JavaScript's undefined.
type Undefined struct{}

// Get returns the member of that key; ok is false where there is none.
func (o Object) Get(key string) (v any, ok bool) {
	for i := range o {
		if o[i].Key == key {
			return o[i].Value, true
		}
	}
	return nil, false
}

// At returns the member of that key; nil where there is none, or undefined.
func (o Object) At(key string) any {
	v, _ := o.Get(key)
	if _, undefined := v.(Undefined); undefined {
		return nil
	}
	return v
}

// Map returns the members by key, less those that are undefined.
func (o Object) Map() map[string]any {
	m := make(map[string]any, len(o))
	for _, e := range o {
		if e.Value != any(Undefined{}) {
			m[e.Key] = e.Value
		}
	}
	return m
}

// MarshalJSON is for code that knows values by encoding/json alone.
func (o Object) MarshalJSON() ([]byte, error) { return AppendJSON(nil, o) }

// Fields returns the members of an object, or of a map, by key; ok is false for
// any other value.
func Fields(v any) (fields map[string]any, ok bool) {
	switch v := v.(type) {
	case Object:
		return v.Map(), true
	case map[string]any:
		return v, v != nil
	}
	return nil, false
}

// Plain turns every Object within v into a map, for code that does not ask for
// the order of keys.
func Plain(v any) any {
	switch v := v.(type) {
	case Object:
		m := make(map[string]any, len(v))
		for _, e := range v {
			if e.Value != any(Undefined{}) {
				m[e.Key] = Plain(e.Value)
			}
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = Plain(e)
		}
		return list
	case Undefined:
		return nil
	}
	return v
}

// builder collects the members of an object that is being read: of a key that
// comes twice the last value counts, at the place of the first.
type builder struct {
	o       Object
	at      map[string]int // once there are many
	indices bool           // some keys are array indices
}

const fewMembers = 8

func (b *builder) set(key string, v any) {
	at, known := 0, false
	if b.at != nil {
		at, known = b.at[key]
	} else {
		at = slices.IndexFunc(b.o, func(m Member) bool { return m.Key == key })
		known = at >= 0
	}
	if known {
		b.o[at].Value = v
		return
	}
	if _, index := arrayIndex(key); index {
		b.indices = true
	}
	if b.o == nil {
		b.o = make(Object, 0, fewMembers/2)
	}
	b.o = append(b.o, Member{key, v})
	switch {
	case b.at != nil:
		b.at[key] = len(b.o) - 1
	case len(b.o) > fewMembers:
		b.at = make(map[string]int, 4*fewMembers)
		for i, m := range b.o {
			b.at[m.Key] = i
		}
	}
}

// object returns what was collected, in the order JavaScript lists it: array
// indices come first, ascending.
func (b *builder) object() Object {
	if b.indices {
		slices.SortStableFunc(b.o, func(x, y Member) int {
			i, xIndex := arrayIndex(x.Key)
			j, yIndex := arrayIndex(y.Key)
			switch {
			case xIndex && yIndex:
				return cmp.Compare(i, j)
			case xIndex:
				return -1
			case yIndex:
				return 1
			}
			return 0
		})
	}
	if b.o == nil {
		return Object{}
	}
	return b.o
}

// Keys returns the keys of a map in an order JavaScript could have: array
// indices ascending, then the others, sorted so that output is repeatable.
func Keys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		i, aIndex := arrayIndex(a)
		j, bIndex := arrayIndex(b)
		switch {
		case aIndex && bIndex:
			return cmp.Compare(i, j)
		case aIndex:
			return -1
		case bIndex:
			return 1
		}
		return cmp.Compare(a, b)
	})
	return keys
}

func arrayIndex(s string) (uint32, bool) {
	if s == "" || len(s) > 10 || s[0] < '0' || s[0] > '9' || (s[0] == '0' && len(s) > 1) {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == math.MaxUint32 {
		return 0, false
	}
	return uint32(n), true
}

// AppendNumber writes f as JavaScript's Number::toString does.
func AppendNumber(b []byte, f float64) []byte {
	switch {
	case f == 0: // -0 too
		return append(b, '0')
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 0):
		if f < 0 {
			b = append(b, '-')
		}
		return append(b, "Infinity"...)
	}
	abs := math.Abs(f)
	if abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}
	b = strconv.AppendFloat(b, f, 'e', -1, 64)
	// Go pads the exponent to two digits, JavaScript does not.
	if n := len(b); n >= 4 && b[n-4] == 'e' && b[n-2] == '0' {
		b[n-2] = b[n-1]
		b = b[:n-1]
	}
	return b
}

// maxDateMillis is the last instant a JavaScript Date can hold.
const maxDateMillis = 8.64e15

// date is new Date(millis); nil stands for an invalid one, which JSON prints as
// null.
func date(millis float64) any {
	if math.IsNaN(millis) || math.Abs(millis) > maxDateMillis {
		return nil
	}
	return time.UnixMilli(int64(math.Trunc(millis))).UTC()
}

// isoString is Date.prototype.toISOString; ok is false for an invalid date.
func isoString(at time.Time) (s string, ok bool) {
	if math.Abs(float64(at.UnixMilli())) > maxDateMillis {
		return "", false
	}
	t := at.UTC()
	rest := t.Format("-01-02T15:04:05.000Z")
	switch year := t.Year(); {
	case year < 0:
		return "-" + pad(-year, 6) + rest, true
	case year > 9999:
		return "+" + pad(year, 6) + rest, true
	default:
		return pad(year, 4) + rest, true
	}
}

func pad(n, width int) string {
	s := strconv.Itoa(n)
	for len(s) < width {
		s = "0" + s
	}
	return s
}

// HasBinary says whether a value holds bytes somewhere.
func HasBinary(v any) bool { return hasBinary(v, 0) }

func hasBinary(v any, depth int) bool {
	if depth > MaxDepth {
		return false
	}
	v, err := normal(v)
	if err != nil {
		return false // encoding it will say so
	}
	deeper := func(e any) bool { return hasBinary(e, depth+1) }
	switch v := v.(type) {
	case []byte:
		return true
	case []any:
		return slices.ContainsFunc(v, deeper)
	case map[string]any:
		for _, e := range v {
			if deeper(e) {
				return true
			}
		}
	case Object:
		return slices.ContainsFunc(v, func(m Member) bool { return deeper(m.Value) })
	}
	return false
}
