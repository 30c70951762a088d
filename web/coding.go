package web

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// preferredCoding picks one of the offered content codings as Node's negotiator
// does, so that either server answers in the same one: by quality, then
// by how exactly it was named, then by the client's order. "" is none of them.
func preferredCoding(accept []string, offered ...string) string {
	wishes := parseWishes(strings.Join(accept, ","))
	best, found := ranked{}, ""
	for _, coding := range offered {
		r := rank(coding, wishes)
		if r.quality > 0 && (found == "" || r.before(best)) {
			best, found = r, coding
		}
	}
	return found
}

// wish is one member of Accept-Encoding.
type wish struct {
	coding  string
	quality float64
}

// ranked says how much a client wants a coding.
type ranked struct {
	quality float64
	exact   bool
	place   int
}

func (a ranked) before(b ranked) bool {
	if a.quality != b.quality {
		return a.quality > b.quality
	}
	if a.exact != b.exact {
		return a.exact
	}
	return a.place < b.place
}

// rank finds the wish that decides about the coding. A name beats "*"; of two
// wishes alike the better one counts.
func rank(coding string, wishes []wish) ranked {
	best, found := ranked{}, false
	for place, w := range wishes {
		exact := w.coding == coding
		if !exact && w.coding != "*" {
			continue
		}
		r := ranked{w.quality, exact, place}
		if !found || r.exact && !best.exact || r.exact == best.exact && r.quality >= best.quality {
			best, found = r, true
		}
	}
	return best
}

// maxWishes bounds the work for one header; browsers name four codings.
const maxWishes = 32

func parseWishes(accept string) []wish {
	wishes := make([]wish, 0, 4)
	for member := range strings.SplitSeq(accept, ",") {
		coding, params, _ := strings.Cut(strings.TrimSpace(member), ";")
		coding = strings.ToLower(strings.TrimSpace(coding))
		if coding == "" || strings.ContainsAny(coding, " \t") {
			continue
		}
		if len(wishes) == maxWishes {
			break
		}
		wishes = append(wishes, wish{coding, quality(params)})
	}
	return slices.Clip(wishes)
}

// quality reads "q=0.5"; none given means 1, nonsense means "not wanted".
func quality(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if name != "q" {
			continue
		}
		q, err := strconv.ParseFloat(value, 64)
		if err != nil || math.IsNaN(q) {
			return 0
		}
		return q
	}
	return 1
}
