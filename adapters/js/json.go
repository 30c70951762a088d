package js

import (
	"math"
	"strconv"
	"time"
)

// AppendJSON writes v as JSON.stringify does: no HTML escapes, JavaScript's
// numbers, NaN as null, a Buffer as {"type":"Buffer","data":[…]}. What cannot
// be a value of its own, undefined, becomes null.
func AppendJSON(b []byte, v any) ([]byte, error) {
	w := jsonWriter{}
	return w.value(b, v, 0)
}

// AppendJSONWithout writes v like AppendJSON, but takes its bytes out: in their
// places stand {"_placeholder":true,"num":…}, as in Socket.IO packets.
func AppendJSONWithout(b []byte, v any) (text []byte, attachments [][]byte, err error) {
	w := jsonWriter{attach: true}
	b, err = w.value(b, v, 0)
	return b, w.attachments, err
}

type jsonWriter struct {
	attach      bool
	attachments [][]byte
}

func (w *jsonWriter) value(b []byte, v any, depth int) ([]byte, error) {
	if depth > MaxDepth {
		return nil, ErrTooDeep
	}
	v, err := normal(v)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil, Undefined:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(b, "null"...), nil
		}
		return AppendNumber(b, v), nil
	case string:
		return appendString(b, v), nil
	case []byte:
		return w.bytes(b, v), nil
	case time.Time:
		s, ok := isoString(v)
		if !ok {
			return append(b, "null"...), nil
		}
		return appendString(b, s), nil
	case []string:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, e)
		}
		return append(b, ']'), nil
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = w.value(b, e, depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case map[string]any:
		b = append(b, '{')
		for i, k := range Keys(v) {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = w.value(append(appendString(b, k), ':'), v[k], depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	case Object:
		return w.object(b, v, depth)
	}
	return nil, ErrMalformed
}

func (w *jsonWriter) object(b []byte, o Object, depth int) ([]byte, error) {
	b = append(b, '{')
	first := true
	for _, m := range o {
		if m.Value == any(Undefined{}) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		var err error
		if b, err = w.value(append(appendString(b, m.Key), ':'), m.Value, depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func (w *jsonWriter) bytes(b, v []byte) []byte {
	if w.attach {
		b = append(b, `{"_placeholder":true,"num":`...)
		b = strconv.AppendInt(b, int64(len(w.attachments)), 10)
		w.attachments = append(w.attachments, v)
		return append(b, '}')
	}
	b = append(b, `{"type":"Buffer","data":[`...)
	for i, c := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(c), 10)
	}
	return append(b, `]}`...)
}

const hexDigits = "0123456789abcdef"

func appendString(b []byte, s string) []byte {
	s = Valid(s)
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c != 0xED {
			continue
		}
		if c == 0xED {
			r, ok := half(s[i:])
			if !ok {
				continue
			}
			b = append(append(b, s[start:i]...), '\\', 'u', 'd', hexDigits[r>>8&0xf], hexDigits[r>>4&0xf], hexDigits[r&0xf])
			i += 2
			start = i + 1
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		}
	}
	return append(append(b, s[start:]...), '"')
}

// ParseJSON reads one value as JSON.parse does. Whatever the text, it takes
// bounded time and memory and never panics.
func ParseJSON(s string) (any, error) {
	if len(s) > MaxBytes {
		return nil, ErrTooLarge
	}
	p := jsonReader{s: s}
	p.space()
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.at != len(s) {
		return nil, p.malformed("something behind the value")
	}
	return v, nil
}
