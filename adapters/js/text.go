package js

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A JavaScript string may hold half a surrogate pair, which UTF-8 cannot. In Go
// such a half is the three bytes it would take if UTF-8 allowed it (ED A0 80 to
// ED BF BF); that is known as WTF-8.

// Valid replaces what is neither UTF-8 nor half a surrogate pair.
func Valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r != utf8.RuneError || size != 1 {
			b.WriteString(s[i : i+size])
			i += size
			continue
		}
		if _, ok := half(s[i:]); ok {
			b.WriteString(s[i : i+3])
			i += 3
			continue
		}
		b.WriteRune(utf8.RuneError)
		// One letter stands for all that cannot be read in a row.
		for i++; i < len(s); i++ {
			if r, size := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size != 1 {
				break
			}
			if _, ok := half(s[i:]); ok {
				break
			}
		}
	}
	return b.String()
}

// WellFormed replaces halves of surrogate pairs too, as String.toWellFormed and
// UTF-8 encoders do.
func WellFormed(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	s = Valid(s)
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		if _, ok := half(s[i:]); ok {
			b.WriteRune(utf8.RuneError)
			i += 3
			continue
		}
		b.WriteByte(s[i])
		i++
	}
	return b.String()
}

// half reads half a surrogate pair at the beginning of s.
func half(s string) (r rune, ok bool) {
	if len(s) < 3 || s[0] != 0xED || s[1] < 0xA0 || s[1] > 0xBF || s[2] < 0x80 || s[2] > 0xBF {
		return 0, false
	}
	return 0xD000 | rune(s[1]&0x3F)<<6 | rune(s[2]&0x3F), true
}

// appendUnit adds one UTF-16 unit to a string; the second half of a pair joins
// the first.
func appendUnit(b []byte, r rune) []byte {
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(b, r)
	}
	if n := len(b); r >= 0xDC00 && n >= 3 {
		if first, ok := half(string(b[n-3:])); ok && first < 0xDC00 {
			return utf8.AppendRune(b[:n-3], utf16.DecodeRune(first, r))
		}
	}
	return append(b, 0xE0|byte(r>>12), 0x80|byte(r>>6&0x3F), 0x80|byte(r&0x3F))
}
