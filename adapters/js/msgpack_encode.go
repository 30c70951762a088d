package js

import (
	"encoding/binary"
	"math"
	"time"
)

// packer is one of the MessagePack dialects of Node's packages.
type packer int

const (
	notepack3 packer = iota // of the classic and the sharded adapter
	notepack2               // of socket.io-msgpack-parser
	msgpack2                // @msgpack/msgpack, of the streams adapter
)

// AppendNotepack writes v as notepack.io 3 does, byte for byte: whole numbers
// always as integers, the shortest widths, undefined as nil and no member.
func AppendNotepack(b []byte, v any) ([]byte, error) { return notepack3.value(b, v, 0) }

// AppendNotepack2 writes v as notepack.io 2.2 does, which has extensions of its
// own for undefined, members too, and for dates.
func AppendNotepack2(b []byte, v any) ([]byte, error) { return notepack2.value(b, v, 0) }

// AppendMsgpack writes v as @msgpack/msgpack 2.8 does: numbers that are no safe
// integers as floats, undefined members as nil.
func AppendMsgpack(b []byte, v any) ([]byte, error) { return msgpack2.value(b, v, 0) }

func (p packer) value(b []byte, v any, depth int) ([]byte, error) {
	if depth > MaxDepth {
		return nil, ErrTooDeep
	}
	v, err := normal(v)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return append(b, 0xc0), nil
	case Undefined:
		if p == notepack2 {
			return append(b, 0xd4, 0, 0), nil
		}
		return append(b, 0xc0), nil
	case bool:
		if v {
			return append(b, 0xc3), nil
		}
		return append(b, 0xc2), nil
	case float64:
		return p.number(b, v), nil
	case string:
		return packString(b, v), nil
	case []byte:
		return packBytes(b, v), nil
	case time.Time:
		return p.date(b, v), nil
	case []string:
		b = packLength(b, len(v), 0x90, 0xdc)
		for _, e := range v {
			b = packString(b, e)
		}
		return b, nil
	case []any:
		b = packLength(b, len(v), 0x90, 0xdc)
		for _, e := range v {
			if b, err = p.value(b, e, depth+1); err != nil {
				return nil, err
			}
		}
		return b, nil
	case map[string]any:
		b = packLength(b, len(v), 0x80, 0xde)
		for _, k := range Keys(v) {
			if b, err = p.value(packString(b, k), v[k], depth+1); err != nil {
				return nil, err
			}
		}
		return b, nil
	case Object:
		n := 0
		for _, m := range v {
			if p != notepack3 || m.Value != any(Undefined{}) {
				n++
			}
		}
		b = packLength(b, n, 0x80, 0xde)
		for _, m := range v {
			if p == notepack3 && m.Value == any(Undefined{}) {
				continue
			}
			if b, err = p.value(packString(b, m.Key), m.Value, depth+1); err != nil {
				return nil, err
			}
		}
		return b, nil
	}
	return nil, ErrMalformed
}

// packLength writes the head of an array or a map.
func packLength(b []byte, n int, fix, wide byte) []byte {
	switch {
	case n < 0x10:
		return append(b, fix|byte(n))
	case n < 0x10000:
		return binary.BigEndian.AppendUint16(append(b, wide), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, wide+1), uint32(n))
}

func packString(b []byte, s string) []byte {
	s = WellFormed(s)
	switch n := len(s); {
	case n < 0x20:
		b = append(b, 0xa0|byte(n))
	case n < 0x100:
		b = append(b, 0xd9, byte(n))
	case n < 0x10000:
		b = binary.BigEndian.AppendUint16(append(b, 0xda), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xdb), uint32(n))
	}
	return append(b, s...)
}

func packBytes(b, v []byte) []byte {
	switch n := len(v); {
	case n < 0x100:
		b = append(b, 0xc4, byte(n))
	case n < 0x10000:
		b = binary.BigEndian.AppendUint16(append(b, 0xc5), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xc6), uint32(n))
	}
	return append(b, v...)
}

func (p packer) number(b []byte, f float64) []byte {
	if math.IsNaN(f) {
		// JavaScript has one NaN; Go's has another bit set.
		return binary.BigEndian.AppendUint64(append(b, 0xcb), 0x7ff8<<48)
	}
	// notepack writes whole numbers of more than 64 bits as integers too, which
	// garbles them; as floats every reader gets them right.
	if math.Floor(f) != f || f >= 1<<64 || f < -1<<63 || (p == msgpack2 && math.Abs(f) >= 1<<53) {
		return binary.BigEndian.AppendUint64(append(b, 0xcb), math.Float64bits(f))
	}
	if f >= 0 {
		switch {
		case f < 0x80:
			return append(b, byte(f))
		case f < 0x100:
			return append(b, 0xcc, byte(f))
		case f < 0x10000:
			return binary.BigEndian.AppendUint16(append(b, 0xcd), uint16(f))
		case f < 0x100000000:
			return binary.BigEndian.AppendUint32(append(b, 0xce), uint32(f))
		}
		return binary.BigEndian.AppendUint64(append(b, 0xcf), uint64(f))
	}
	switch {
	case f >= -0x20:
		return append(b, byte(int8(f)))
	case f >= -0x80:
		return append(b, 0xd0, byte(int8(f)))
	case f >= -0x8000:
		return binary.BigEndian.AppendUint16(append(b, 0xd1), uint16(int16(f)))
	case f >= -0x80000000:
		return binary.BigEndian.AppendUint32(append(b, 0xd2), uint32(int32(f)))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(int64(f)))
}

// date writes a JavaScript Date, which counts whole milliseconds.
func (p packer) date(b []byte, t time.Time) []byte {
	ms := t.UnixMilli()
	if p == notepack2 {
		return binary.BigEndian.AppendUint64(append(b, 0xd7, 0), uint64(ms))
	}
	s := ms / 1000
	if ms%1000 < 0 {
		s--
	}
	ns := uint32(ms-s*1000) * 1_000_000
	switch {
	case s >= 0 && ns == 0 && s <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, 0xd6, 0xff), uint32(s))
	case s >= 0 && s < 1<<34:
		return binary.BigEndian.AppendUint64(append(b, 0xd7, 0xff), uint64(ns)<<34|uint64(s))
	}
	b = binary.BigEndian.AppendUint32(append(b, 0xc7, 0x0c, 0xff), ns)
	return binary.BigEndian.AppendUint64(b, uint64(s))
}
