package cluster

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// object is a map whose keys keep their order, as JavaScript's do. A member
// whose value is undefined is left out, as JSON.stringify and notepack do.
type object []member

type member struct {
	key   string
	value any
}

// undefined marks a member that is not there.
type undefined struct{}

// validUTF8 replaces what is not UTF-8, so that no decoder further on has to.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// appendNumber writes f as JavaScript's Number::toString does.
func appendNumber(b []byte, f float64) []byte {
	if f == 0 { // -0 too
		return append(b, '0')
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

// isoString is Date.prototype.toISOString; ok is false for an invalid date,
// which JSON prints as null.
func isoString(millis float64) (s string, ok bool) {
	if math.IsNaN(millis) || math.Abs(millis) > maxDateMillis {
		return "", false
	}
	t := time.UnixMilli(int64(millis)).UTC()
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
	return strings.Repeat("0", max(0, width-len(s))) + s
}

// keysOf returns the keys in an order JavaScript could have: array indices
// ascending, then the others, which we sort so that output is repeatable.
func keysOf[V any](m map[string]V) []string {
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

// hasBinary says whether a value holds bytes somewhere.
func hasBinary(v any, depth int) bool {
	if depth > maxDepth {
		return false
	}
	v, err := normal(v)
	if err != nil {
		return false // encoding it will say so
	}
	switch v := v.(type) {
	case []byte:
		return true
	case []any:
		for _, e := range v {
			if hasBinary(e, depth+1) {
				return true
			}
		}
	case map[string]any:
		for _, e := range v {
			if hasBinary(e, depth+1) {
				return true
			}
		}
	case object:
		for _, m := range v {
			if hasBinary(m.value, depth+1) {
				return true
			}
		}
	}
	return false
}
