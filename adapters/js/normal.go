package js

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"time"
)

// Of turns a Go value into one of this package, as far down as it takes; an
// error is encoding/json's.
func Of(v any) (any, error) { return normal(v) }

// normal reduces a Go value to what the encoders know: nil, bool, float64,
// string, []byte, time.Time, []any, []string, map[string]any, Object and
// Undefined. Structs are read as encoding/json reads them; anything else goes by
// way of its JSON, members in their order.
func normal(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, float64, string, []byte, time.Time, []any, []string, map[string]any, Object, Undefined:
		return v, nil
	case int:
		return float64(v), nil
	case int8:
		return float64(v), nil
	case int16:
		return float64(v), nil
	case int32:
		return float64(v), nil
	case int64:
		return float64(v), nil
	case uint:
		return float64(v), nil
	case uint8:
		return float64(v), nil
	case uint16:
		return float64(v), nil
	case uint32:
		return float64(v), nil
	case uint64:
		return float64(v), nil
	case float32:
		return float64(v), nil
	}
	if _, ok := v.(json.Marshaler); ok {
		return throughJSON(v)
	}
	return byKind(v)
}

// byKind keeps bytes inside typed slices and maps, which JSON would turn into
// base64, as it does those inside structs.
func byKind(v any) (any, error) {
	r := reflect.ValueOf(v)
	switch kind := r.Kind(); {
	case kind == reflect.Struct:
		if s := shapeOf(r.Type()); s != nil {
			return s.object(r), nil
		}
	case kind == reflect.Slice && r.Type().Elem().Kind() == reflect.Uint8:
		return r.Bytes(), nil
	case kind == reflect.Slice || kind == reflect.Array:
		list := make([]any, r.Len())
		for i := range list {
			list[i] = r.Index(i).Interface()
		}
		return list, nil
	case kind == reflect.Map && r.Type().Key().Kind() == reflect.String:
		m := make(map[string]any, r.Len())
		for entries := r.MapRange(); entries.Next(); {
			m[entries.Key().String()] = entries.Value().Interface()
		}
		return m, nil
	}
	return throughJSON(v)
}

func throughJSON(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	return orderedJSON(d, 0)
}

// orderedJSON reads one value and keeps the order of members.
func orderedJSON(d *json.Decoder, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, ErrTooDeep
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			e, err := orderedJSON(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, e)
		}
		_, err := d.Token()
		return list, err
	case json.Delim('{'):
		var b builder
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return nil, err
			}
			key, _ := k.(string)
			e, err := orderedJSON(d, depth+1)
			if err != nil {
				return nil, err
			}
			b.set(key, e)
		}
		_, err := d.Token()
		return b.object(), err
	}
	return t, nil
}
