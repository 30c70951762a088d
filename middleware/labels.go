package middleware

import (
	"net/http"
	"strconv"
	"sync"
)

// maxLabelValues bounds what one label may become. The packages that count have
// a dozen reasons each; more than this is a mistake, or somebody else's text.
const maxLabelValues = 48

// labels lets the first so many well-formed values through and calls the rest
// "other", so that no metric grows without end.
type labels struct {
	mu    sync.RWMutex
	known map[string]bool
}

func newLabels() *labels { return &labels{known: make(map[string]bool)} }

func (l *labels) value(v string) string {
	l.mu.RLock()
	known := l.known[v]
	l.mu.RUnlock()
	if known {
		return v
	}
	if !wellFormed(v) {
		return other
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.known[v] && len(l.known) >= maxLabelValues {
		return other
	}
	l.known[v] = true
	return v
}

// wellFormed is how our packages and Socket.IO spell reasons: "ping timeout",
// "rate_limited", "find.chat".
func wellFormed(v string) bool {
	if v == "" || len(v) > 40 {
		return false
	}
	for i := range len(v) {
		b := v[i]
		if (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != '_' && b != '-' && b != '.' && b != ' ' {
			return false
		}
	}
	return true
}

func status(code int) string {
	if http.StatusText(code) == "" {
		return other
	}
	return strconv.Itoa(code)
}
