package js

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// jsonReader walks over a text. encoding/json will not do: it forgets the order
// of members and damages half a surrogate pair.
type jsonReader struct {
	s      string
	at     int
	values int
}

func (p *jsonReader) malformed(what string) error {
	return fmt.Errorf("%w: JSON: %s at %d", ErrMalformed, what, p.at)
}

func (p *jsonReader) space() {
	for p.at < len(p.s) {
		switch p.s[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// next skips space and says what comes; 0 at the end.
func (p *jsonReader) next() byte {
	p.space()
	if p.at == len(p.s) {
		return 0
	}
	return p.s[p.at]
}

func (p *jsonReader) value(depth int) (any, error) {
	if depth > MaxDepth {
		return nil, ErrTooDeep
	}
	if p.values++; p.values > MaxValues {
		return nil, ErrTooLarge
	}
	switch c := p.next(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.list(depth)
	case c == '"':
		return p.text()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 't':
		return true, p.word("true")
	case c == 'f':
		return false, p.word("false")
	case c == 'n':
		return nil, p.word("null")
	}
	return nil, p.malformed("no value")
}

func (p *jsonReader) word(w string) error {
	if !strings.HasPrefix(p.s[p.at:], w) {
		return p.malformed("no value")
	}
	p.at += len(w)
	return nil
}

func (p *jsonReader) list(depth int) (any, error) {
	p.at++
	list := []any{}
	if p.next() == ']' {
		p.at++
		return list, nil
	}
	list = make([]any, 0, 2) // events have a name and an argument
	for {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		switch p.next() {
		case ',':
			p.at++
		case ']':
			p.at++
			return list, nil
		default:
			return nil, p.malformed("no end of a list")
		}
	}
}

func (p *jsonReader) object(depth int) (any, error) {
	p.at++
	var b builder
	if p.next() == '}' {
		p.at++
		return b.object(), nil
	}
	for {
		if p.next() != '"' {
			return nil, p.malformed("no key")
		}
		key, err := p.text()
		if err != nil {
			return nil, err
		}
		if p.next() != ':' {
			return nil, p.malformed("no colon")
		}
		p.at++
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		b.set(key, v)
		switch p.next() {
		case ',':
			p.at++
		case '}':
			p.at++
			return b.object(), nil
		default:
			return nil, p.malformed("no end of an object")
		}
	}
}

// number checks the form, which strconv takes more loosely.
func (p *jsonReader) number() (any, error) {
	start := p.at
	digits := func() bool {
		from := p.at
		for p.at < len(p.s) && p.s[p.at] >= '0' && p.s[p.at] <= '9' {
			p.at++
		}
		return p.at > from
	}
	has := func(chars string) bool {
		if p.at < len(p.s) && strings.IndexByte(chars, p.s[p.at]) >= 0 {
			p.at++
			return true
		}
		return false
	}
	has("-")
	if !has("0") && !digits() {
		return nil, p.malformed("no digits")
	}
	if has(".") && !digits() {
		return nil, p.malformed("no digits")
	}
	if has("eE") {
		has("+-")
		if !digits() {
			return nil, p.malformed("no digits")
		}
	}
	f, err := strconv.ParseFloat(p.s[start:p.at], 64)
	if err != nil && !math.IsInf(f, 0) { // JavaScript, too, makes Infinity of 1e999
		return nil, p.malformed("no number")
	}
	return f, nil
}

func (p *jsonReader) text() (string, error) {
	p.at++
	start := p.at
	for p.at < len(p.s) {
		switch c := p.s[p.at]; {
		case c == '"':
			p.at++
			return Valid(p.s[start : p.at-1]), nil
		case c == '\\':
			return p.escaped(start)
		case c < 0x20:
			return "", p.malformed("a control character in a string")
		}
		p.at++
	}
	return "", p.malformed("no end of a string")
}

// escaped reads the rest of a string once an escape was met.
func (p *jsonReader) escaped(start int) (string, error) {
	b := []byte(Valid(p.s[start:p.at]))
	for p.at < len(p.s) {
		c := p.s[p.at]
		switch {
		case c == '"':
			p.at++
			return string(b), nil
		case c < 0x20:
			return "", p.malformed("a control character in a string")
		case c != '\\':
			from := p.at
			for p.at < len(p.s) && p.s[p.at] != '"' && p.s[p.at] != '\\' && p.s[p.at] >= 0x20 {
				p.at++
			}
			b = append(b, Valid(p.s[from:p.at])...)
			continue
		}
		p.at++
		if p.at == len(p.s) {
			break
		}
		c = p.s[p.at]
		p.at++
		if c == 'u' {
			if p.at+4 > len(p.s) {
				return "", p.malformed("an escape cut short")
			}
			n, err := strconv.ParseUint(p.s[p.at:p.at+4], 16, 16)
			if err != nil {
				return "", p.malformed("no such escape")
			}
			p.at += 4
			b = appendUnit(b, rune(n))
			continue
		}
		i := strings.IndexByte(`"\/bfnrt`, c)
		if i < 0 {
			return "", p.malformed("no such escape")
		}
		b = append(b, "\"\\/\b\f\n\r\t"[i])
	}
	return "", p.malformed("no end of a string")
}
