package js

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ParseMsgpack reads one MessagePack value as notepack.io does. Whatever the
// bytes, it takes bounded time and memory and never panics.
func ParseMsgpack(s string) (any, error) {
	if len(s) > MaxBytes {
		return nil, ErrTooLarge
	}
	d := unpacker{s: s}
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	if d.s != "" {
		return nil, fmt.Errorf("%w: %d bytes too many", ErrMalformed, len(d.s))
	}
	return v, nil
}

// unpacker holds what is left to read.
type unpacker struct {
	s      string
	values int
}

func (d *unpacker) take(n int) (string, error) {
	if n < 0 || n > len(d.s) {
		return "", fmt.Errorf("%w: cut short", ErrMalformed)
	}
	head := d.s[:n]
	d.s = d.s[n:]
	return head, nil
}

// uint reads a big-endian number of n bytes.
func (d *unpacker) uint(n int) (uint64, error) {
	head, err := d.take(n)
	if err != nil {
		return 0, err
	}
	var wide [8]byte
	copy(wide[8-n:], head)
	return binary.BigEndian.Uint64(wide[:]), nil
}

func (d *unpacker) value(depth int) (any, error) {
	if depth > MaxDepth {
		return nil, ErrTooDeep
	}
	if d.values++; d.values > MaxValues {
		return nil, ErrTooLarge
	}
	head, err := d.take(1)
	if err != nil {
		return nil, err
	}
	c := head[0]
	switch {
	case c < 0x80:
		return float64(c), nil
	case c < 0x90:
		return d.dict(int(c&0x0f), depth)
	case c < 0xa0:
		return d.list(int(c&0x0f), depth)
	case c < 0xc0:
		return d.text(int(c & 0x1f))
	case c >= 0xe0:
		return float64(int8(c)), nil
	}
	switch c {
	case 0xc0:
		return nil, nil
	case 0xc2:
		return false, nil
	case 0xc3:
		return true, nil
	case 0xca:
		n, err := d.uint(4)
		return float64(math.Float32frombits(uint32(n))), err
	case 0xcb:
		n, err := d.uint(8)
		return math.Float64frombits(n), err
	case 0xcc, 0xcd, 0xce, 0xcf:
		n, err := d.uint(1 << (c - 0xcc))
		return float64(n), err
	case 0xd0, 0xd1, 0xd2, 0xd3:
		size := 1 << (c - 0xd0)
		n, err := d.uint(size)
		shift := 64 - 8*size
		return float64(int64(n<<shift) >> shift), err
	case 0xc4, 0xc5, 0xc6:
		n, err := d.uint(1 << (c - 0xc4))
		if err != nil {
			return nil, err
		}
		return d.binary(int(n))
	case 0xc7, 0xc8, 0xc9:
		n, err := d.uint(1 << (c - 0xc7))
		if err != nil {
			return nil, err
		}
		return d.extension(int(n), false)
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		return d.extension(1<<(c-0xd4), true)
	case 0xd9, 0xda, 0xdb:
		n, err := d.uint(1 << (c - 0xd9))
		if err != nil {
			return nil, err
		}
		return d.text(int(n))
	case 0xdc, 0xdd:
		n, err := d.uint(2 << (c - 0xdc))
		if err != nil {
			return nil, err
		}
		return d.list(int(n), depth)
	case 0xde, 0xdf:
		n, err := d.uint(2 << (c - 0xde))
		if err != nil {
			return nil, err
		}
		return d.dict(int(n), depth)
	}
	return nil, fmt.Errorf("%w: no such type: %#x", ErrMalformed, c)
}

func (d *unpacker) text(n int) (any, error) {
	s, err := d.take(n)
	if err != nil {
		return nil, err
	}
	return strings.ToValidUTF8(s, "\uFFFD"), nil
}

func (d *unpacker) binary(n int) (any, error) {
	s, err := d.take(n)
	if err != nil {
		return nil, err
	}
	return []byte(s), nil
}

func (d *unpacker) list(n, depth int) (any, error) {
	// Each element takes a byte at least: a length that cannot be true is
	// refused before anything is allocated for it.
	if n > len(d.s) {
		return nil, fmt.Errorf("%w: cut short", ErrMalformed)
	}
	list := make([]any, 0, min(n, 1024))
	for range n {
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func (d *unpacker) dict(n, depth int) (any, error) {
	if n > len(d.s)/2 {
		return nil, fmt.Errorf("%w: cut short", ErrMalformed)
	}
	b := builder{o: make(Object, 0, min(n, 64))}
	for range n {
		key, err := d.key(depth + 1)
		if err != nil {
			return nil, err
		}
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		b.set(key, v)
	}
	return b.object(), nil
}

// key reads a key; most are short strings.
func (d *unpacker) key(depth int) (string, error) {
	if d.s != "" && d.s[0]&0xe0 == 0xa0 {
		d.values++
		head, err := d.take(1 + int(d.s[0]&0x1f))
		if err != nil {
			return "", err
		}
		return strings.ToValidUTF8(head[1:], "\uFFFD"), nil
	}
	k, err := d.value(depth)
	if err != nil {
		return "", err
	}
	return propertyKey(k)
}

// propertyKey is JavaScript's ToPropertyKey for what can sensibly be a key.
func propertyKey(k any) (string, error) {
	switch k := k.(type) {
	case string:
		return k, nil
	case float64:
		return string(AppendNumber(nil, k)), nil
	case bool:
		return strconv.FormatBool(k), nil
	case nil:
		return "null", nil
	}
	return "", fmt.Errorf("%w: a %T as a key", ErrMalformed, k)
}

// extension reads the type and the n bytes after it. Type -1 is a timestamp;
// type 0 is what older notepack versions made of undefined, Date and ArrayBuffer.
func (d *unpacker) extension(n int, fixed bool) (any, error) {
	t, err := d.uint(1)
	if err != nil {
		return nil, err
	}
	s, err := d.take(n)
	if err != nil {
		return nil, err
	}
	kind := int8(t)
	switch {
	case kind == 0 && !fixed:
		return []byte(s), nil
	case kind == 0 && n == 1:
		return Undefined{}, nil
	case kind == 0 && n == 8:
		return date(float64(int64(be64(s)))), nil
	case kind == -1 && n == 4 && fixed:
		return date(float64(be32(s)) * 1e3), nil
	case kind == -1 && n == 8 && fixed:
		v := be64(s)
		return date(float64(v&(1<<34-1))*1e3 + float64(v>>34)/1e6), nil
	case kind == -1 && n == 12 && !fixed:
		return date(float64(int64(be64(s[4:])))*1e3 + float64(be32(s))/1e6), nil
	}
	return []any{float64(kind), []byte(s)}, nil
}

func be32(s string) uint32 { return binary.BigEndian.Uint32([]byte(s)) }

func be64(s string) uint64 { return binary.BigEndian.Uint64([]byte(s)) }
