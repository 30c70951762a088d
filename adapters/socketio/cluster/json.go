package cluster

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// appendJSON writes v as JSON.stringify does: no HTML escapes, JavaScript's
// numbers, NaN as null, a Buffer as {"type":"Buffer","data":[…]}.
func appendJSON(b []byte, v any) ([]byte, error) { return jsonValue(b, v, 0) }

func jsonValue(b []byte, v any, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	v, err := normal(v)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil, undefined:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(b, "null"...), nil
		}
		return appendNumber(b, v), nil
	case string:
		return jsonString(b, v), nil
	case []byte:
		b = append(b, `{"type":"Buffer","data":[`...)
		for i, c := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendUint(b, uint64(c), 10)
		}
		return append(b, `]}`...), nil
	case time.Time:
		s, ok := isoString(float64(v.UnixMilli()))
		if !ok {
			return append(b, "null"...), nil
		}
		return jsonString(b, s), nil
	case []string:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = jsonString(b, e)
		}
		return append(b, ']'), nil
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = jsonValue(b, e, depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case map[string]any:
		b = append(b, '{')
		for i, k := range keysOf(v) {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = jsonValue(append(jsonString(b, k), ':'), v[k], depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	case object:
		b = append(b, '{')
		first := true
		for _, m := range v {
			if m.value == (undefined{}) {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			if b, err = jsonValue(append(jsonString(b, m.key), ':'), m.value, depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	}
	return nil, errMalformed
}

func jsonString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	s = validUTF8(s)
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
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
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
	}
	return append(append(b, s[start:]...), '"')
}

// decodeJSON reads JSON within the same bounds as MessagePack.
func decodeJSON(s string) (any, error) {
	if len(s) > maxMessageBytes {
		return nil, errTooLarge
	}
	if err := boundJSON(s); err != nil {
		return nil, err
	}
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return v, nil
}

// boundJSON walks over the text before anything is allocated for it.
func boundJSON(s string) error {
	depth, values, quoted := 0, 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > maxDepth {
				return errTooDeep
			}
			values++
		case c == ']' || c == '}':
			depth--
		case c == ',' || c == ':':
			if values++; values > maxValues {
				return errTooLarge
			}
		}
	}
	return nil
}

// decodePayload reads what Node sends on request and response channels: JSON
// where it starts with a brace, else MessagePack.
func decodePayload(s string) (map[string]any, error) {
	var v any
	var err error
	if s != "" && s[0] == '{' {
		v, err = decodeJSON(s)
	} else {
		v, err = decodeMsgpack(s)
	}
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: a %T where a map was expected", errMalformed, v)
	}
	return m, nil
}
