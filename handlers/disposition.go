package handlers

import (
	"net/url"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxBoundary bounds the text between parts; RFC 2046 allows 70 bytes.
const maxBoundary = 256

// disposition is what a part says of itself.
type disposition struct {
	name string
	// file says that a file name was given, be it an empty one: without one the
	// part is a field.
	file     bool
	filename string // without folders
}

// parseDisposition reads the Content-Disposition of a part. What clients send is
// not always what RFC 7578 asks for, and package mime drops such a part's name:
// then a file would be lost without a word. Here what has one meaning is read,
// and what has none, or two, is refused.
func parseDisposition(values []string) (d disposition, ok bool) {
	if len(values) == 0 {
		return d, false
	}
	for _, v := range values[1:] {
		if v != values[0] {
			return d, false
		}
	}
	kind, params, ok := parseHeader(values[0])
	if !ok || kind != "form-data" {
		return d, false
	}
	name, _, one := parameter(params, "name")
	if !one || name == "" {
		return d, false
	}
	// What the file is called matters little: of several names the first will do.
	filename, file, _ := parameter(params, "filename")
	return disposition{name: name, file: file, filename: baseName(filename)}, true
}

// parseBoundary reads the boundary of a Content-Type, also one with characters
// that ought to be quoted and are not.
func parseBoundary(contentType string) (string, bool) {
	_, params, ok := parseHeader(contentType)
	if !ok {
		return "", false
	}
	boundary, _, one := parameter(params, "boundary")
	if !one || boundary == "" || len(boundary) > maxBoundary || strings.HasSuffix(boundary, " ") {
		return "", false
	}
	for i := range len(boundary) {
		if boundary[i] < ' ' || boundary[i] > '~' {
			return "", false
		}
	}
	return boundary, true
}

// mediaType is the type a header declares, without parameters.
func mediaType(header string) string {
	kind, _, _ := strings.Cut(header, ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// charsetOf is the charset a Content-Type declares, empty without one.
func charsetOf(contentType string) string {
	_, params, ok := parseHeader(contentType)
	if !ok {
		return ""
	}
	charset, _, _ := parameter(params, "charset")
	return strings.ToLower(strings.TrimSpace(charset))
}

type param struct{ name, value string }

// parseHeader splits a header into its first word, in lower case, and its
// parameters. Where the quoting cannot be read as it should be, it is read as
// old browsers and hand-written clients mean it.
func parseHeader(s string) (kind string, params []param, ok bool) {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return "", nil, false
		}
	}
	kind, rest, more := strings.Cut(s, ";")
	if more {
		rest = ";" + rest
	}
	kind = strings.ToLower(strings.Trim(kind, " \t"))
	if params, ok = parseParams(rest, quoted); !ok {
		params, ok = parseParams(rest, carelesslyQuoted)
	}
	return kind, params, ok
}

func parseParams(s string, unquote func(string) (value, rest string, ok bool)) ([]param, bool) {
	var out []param
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" {
			return out, true
		}
		if s[0] != ';' {
			return nil, false
		}
		s = strings.TrimLeft(s, "; \t")
		if s == "" {
			return out, true
		}
		name, rest, ok := paramName(s)
		if !ok {
			return nil, false
		}
		s = strings.TrimLeft(rest, " \t")
		var value string
		if strings.HasPrefix(s, `"`) {
			if value, s, ok = unquote(s[1:]); !ok {
				return nil, false
			}
		} else {
			end := strings.IndexByte(s, ';')
			if end < 0 {
				end = len(s)
			}
			if value = strings.TrimRight(s[:end], " \t"); strings.Contains(value, `"`) {
				return nil, false
			}
			s = s[end:]
		}
		out = append(out, param{name, value})
	}
}

// paramName reads name= and returns the name in lower case.
func paramName(s string) (name, rest string, ok bool) {
	i := strings.IndexByte(s, '=')
	if i < 0 {
		return "", "", false
	}
	name = strings.TrimRight(s[:i], " \t")
	if name == "" || strings.ContainsAny(name, " \t\"(),/:;<>?@[\\]{}") {
		return "", "", false
	}
	return strings.ToLower(name), s[i+1:], true
}

// quoted reads a quoted string behind its first quote. A backslash protects a
// quote and a backslash, and is itself before anything else, as in C:\photo.png.
func quoted(s string) (value, rest string, ok bool) {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return out.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
		}
		out.WriteByte(s[i])
	}
	return "", "", false
}

// carelesslyQuoted reads a string in which nothing is protected: the quote that
// ends it is the first with nothing behind it but another parameter.
func carelesslyQuoted(s string) (value, rest string, ok bool) {
	for i := range len(s) {
		if s[i] != '"' {
			continue
		}
		rest := strings.TrimLeft(s[i+1:], " \t")
		if rest == "" {
			return s[:i], rest, true
		}
		if rest[0] != ';' {
			continue
		}
		next := strings.TrimLeft(rest, "; \t")
		if _, _, named := paramName(next); named || next == "" {
			return s[:i], rest, true
		}
	}
	return "", "", false
}

// parameter returns a parameter in whatever form it came: name, name* of RFC
// 8187, or in numbered pieces (RFC 2231). one is false where it came again with
// another value, or with pieces missing.
func parameter(params []param, name string) (value string, given, one bool) {
	var plain, extended []string
	var pieces []piece
	one = true
	for _, p := range params {
		suffix, mine := strings.CutPrefix(p.name, name)
		number, coded := strings.CutSuffix(strings.TrimPrefix(suffix, "*"), "*")
		switch n, err := strconv.Atoi(number); {
		case !mine:
		case suffix == "":
			plain = append(plain, readable(p.value))
		case suffix == "*":
			extended = append(extended, extendedValue(p.value))
		case suffix[0] == '*' && err == nil:
			pieces = append(pieces, piece{n, p.value, coded})
		}
	}
	if len(pieces) > 0 {
		value, one = joined(pieces)
	}
	for _, values := range [][]string{plain, extended} { // the last named wins
		for _, v := range values {
			one = one && v == values[0]
		}
		if len(values) > 0 {
			value = values[0]
		}
	}
	return value, len(plain)+len(extended)+len(pieces) > 0, one
}

// piece is one of several that make a value. The first names the charset, where
// any is coded.
type piece struct {
	n     int
	value string
	coded bool
}

func joined(pieces []piece) (value string, whole bool) {
	sort.SliceStable(pieces, func(i, j int) bool { return pieces[i].n < pieces[j].n })
	charset := ""
	var out strings.Builder
	whole = true
	for i, p := range pieces {
		whole = whole && p.n == i
		if p.coded {
			if i == 0 {
				if words := strings.SplitN(p.value, "'", 3); len(words) == 3 {
					charset, p.value = words[0], words[2]
				}
			}
			p.value = unescaped(p.value)
		}
		out.WriteString(p.value)
	}
	return inCharset(out.String(), charset), whole
}

// extendedValue reads charset'language'text. A name in a charset we do not know
// is still a name: it stays as it was written.
func extendedValue(s string) string {
	words := strings.SplitN(s, "'", 3)
	if len(words) < 3 {
		return readable(s)
	}
	return inCharset(unescaped(words[2]), words[0])
}

func inCharset(s, charset string) string {
	if text, known := decode(s, strings.ToLower(charset)); known {
		return readable(text)
	}
	return readable(s)
}

func unescaped(s string) string {
	if text, err := url.PathUnescape(s); err == nil {
		return text
	}
	return s
}

// readable takes what is not UTF-8 for Latin-1, as Node does.
func readable(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return fromLatin1(s)
}

func baseName(s string) string {
	s = strings.TrimRight(s, `/\`)
	return s[strings.LastIndexAny(s, `/\`)+1:]
}
