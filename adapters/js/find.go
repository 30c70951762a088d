package js

import (
	"strconv"
	"strings"
)

// FindJSON and FindMsgpack return what is at a path, as it is written, without
// reading what lies beside it: for a look at a message of which most may not be
// wanted. What they pass over they do not check, and what they return is still
// to be parsed. Of a key that comes twice the last counts. ok is false where
// there is no such thing, or no telling.

// FindJSON goes by the keys of objects, as they are written without escapes.
func FindJSON(text string, path ...string) (found string, ok bool) {
	found, ok = text, true
	for _, key := range path {
		if found, ok = jsonMember(found, key); !ok {
			return "", false
		}
	}
	return found, ok
}

func jsonMember(text, key string) (found string, ok bool) {
	p := jsonReader{s: text}
	if p.next() != '{' {
		return "", false
	}
	for {
		p.at++ // the brace, or the comma
		if p.next() != '"' {
			return "", false
		}
		name, whole := p.pass()
		if !whole || p.next() != ':' {
			return "", false
		}
		p.at++
		p.space()
		value, whole := p.pass()
		if !whole {
			return "", false
		}
		if name[1:len(name)-1] == key {
			found, ok = value, true
		}
		switch p.next() {
		case ',':
		case '}':
			return found, ok
		default:
			return "", false
		}
	}
}

// pass goes behind a value and returns its text.
func (p *jsonReader) pass() (text string, ok bool) {
	start, depth := p.at, 0
	for p.at < len(p.s) {
		switch p.s[p.at] {
		case '"':
			if !p.passText() {
				return "", false
			}
		case '{', '[':
			depth++
			p.at++
		case '}', ']':
			depth--
			p.at++
		default: // a number, a word, or what stands between values
			p.at++
			for depth == 0 && p.at < len(p.s) && strings.IndexByte(",:]} \t\n\r", p.s[p.at]) < 0 {
				p.at++
			}
		}
		if depth <= 0 {
			return p.s[start:p.at], depth == 0
		}
	}
	return "", false
}

// passText goes behind a string.
func (p *jsonReader) passText() bool {
	for start := p.at; ; {
		p.at++
		n := strings.IndexByte(p.s[p.at:], '"')
		if n < 0 {
			return false
		}
		p.at += n
		slash := p.at
		for slash > start+1 && p.s[slash-1] == '\\' {
			slash--
		}
		if (p.at-slash)%2 == 0 {
			p.at++
			return true
		}
	}
}

// FindMsgpack goes by the keys of objects, of less than 32 bytes, and by places
// in lists.
func FindMsgpack(s string, path ...string) (found string, ok bool) {
	found, ok = s, true
	for _, key := range path {
		if found, ok = msgpackMember(found, key); !ok {
			return "", false
		}
	}
	return found, ok
}

func msgpackMember(s, key string) (found string, ok bool) {
	d := unpacker{s: s}
	n, whole := d.passHead()
	switch {
	case !whole:
		return "", false
	case isList(s[0]):
		place, err := strconv.Atoi(key)
		if err != nil || place < 0 || place >= n {
			return "", false
		}
		for range place {
			if _, whole = d.pass(); !whole {
				return "", false
			}
		}
		return d.pass()
	case !isDict(s[0]):
		return "", false
	}
	for range n / 2 {
		name, _ := d.pass()
		value, whole := d.pass()
		if !whole {
			return "", false
		}
		if len(name) == 1+len(key) && name[0] == 0xa0|byte(len(key)) && name[1:] == key {
			found, ok = value, true
		}
	}
	return found, ok
}

func isList(head byte) bool { return head&0xf0 == 0x90 || head == 0xdc || head == 0xdd }

func isDict(head byte) bool { return head&0xf0 == 0x80 || head == 0xde || head == 0xdf }

// pass goes behind a value and returns its bytes.
func (d *unpacker) pass() (value string, ok bool) {
	from := d.s
	for left := 1; left > 0; left-- {
		parts, whole := d.passHead()
		if !whole {
			return "", false
		}
		left += parts
	}
	return from[:len(from)-len(d.s)], true
}

// passHead goes behind a value that has no parts, or to the first of a list's or
// an object's, and returns how many there are, keys among them.
func (d *unpacker) passHead() (parts int, ok bool) {
	head, err := d.take(1)
	if err != nil {
		return 0, false
	}
	c, size, more := head[0], 0, 0
	switch {
	case c < 0x80 || c >= 0xe0:
		return 0, true
	case c < 0x90:
		return 2 * int(c&0x0f), true
	case c < 0xa0:
		return int(c & 0x0f), true
	case c < 0xc0:
		size = int(c & 0x1f)
	default:
		size, more = widths[c-0xc0].size, widths[c-0xc0].length
	}
	if more > 0 {
		n, err := d.uint(more)
		if err != nil {
			return 0, false
		}
		switch {
		case isList(c):
			return int(n), true
		case isDict(c):
			return 2 * int(n), true
		}
		size += int(n)
	}
	_, err = d.take(size)
	return 0, err == nil && c != 0xc1
}

// widths are, of c0 to df, how many bytes follow, and how many those hold that
// say how many more do, or how many parts.
var widths = [0x20]struct{ size, length int }{
	0x04: {0, 1}, {0, 2}, {0, 4}, // bytes
	0x07: {1, 1}, {1, 2}, {1, 4}, // extensions, with their type
	0x0a: {4, 0}, {8, 0}, // floats
	0x0c: {1, 0}, {2, 0}, {4, 0}, {8, 0}, // whole numbers
	0x10: {1, 0}, {2, 0}, {4, 0}, {8, 0},
	0x14: {2, 0}, {3, 0}, {5, 0}, {9, 0}, {17, 0}, // extensions of a fixed size
	0x19: {0, 1}, {0, 2}, {0, 4}, // strings
	0x1c: {0, 2}, {0, 4}, // lists
	0x1e: {0, 2}, {0, 4}, // objects
}
