package server

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// kind is how one sort of value is read, checked and shown.
type kind struct {
	allowed string // in words, for help and for refusals
	boolean bool
	set     func(c *Config, text string) bool // false: not allowed
	show    func(c *Config) string            // for the log; never a secret
}

// field ties a parser to the field at is the address of.
func field[T any](at func(*Config) *T, allowed string, parse func(string) (T, bool), show func(T) string) kind {
	return kind{
		allowed: allowed,
		set: func(c *Config, text string) bool {
			v, ok := parse(text)
			if ok {
				*at(c) = v
			}
			return ok
		},
		show: func(c *Config) string { return show(*at(c)) },
	}
}

func asIs(s string) string { return s }

func number(at func(*Config) *int, low, high int) kind {
	return field(at, fmt.Sprintf("a whole number from %d to %d", low, high), func(s string) (int, bool) {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		return n, err == nil && n >= low && n <= high
	}, strconv.Itoa)
}

func size[N int | int64](at func(*Config) *N, low, high int64) kind {
	allowed := fmt.Sprintf("bytes, plain or with K, M or G (KiB, MiB, GiB), from %s to %s", bytesText(low), bytesText(high))
	return field(at, allowed, func(s string) (N, bool) {
		n, ok := parseSize(s)
		return N(n), ok && n >= low && n <= high
	}, func(n N) string { return strconv.FormatInt(int64(n), 10) })
}

func duration(at func(*Config) *time.Duration, low, high time.Duration) kind {
	allowed := fmt.Sprintf(`a time such as "25s" or "1m30s", or a plain number of milliseconds, from %s to %s`, timeText(low), timeText(high))
	return field(at, allowed, func(s string) (time.Duration, bool) {
		d, ok := parseDuration(s)
		return d, ok && d >= low && d <= high
	}, timeText)
}

func boolean(at func(*Config) *bool) kind {
	k := field(at, "true, false, 1 or 0", parseBool, strconv.FormatBool)
	k.boolean = true
	return k
}

func oneOf(at func(*Config) *string, words ...string) kind {
	return field(at, orList(words), func(s string) (string, bool) {
		s = strings.ToLower(strings.TrimSpace(s))
		for _, w := range words {
			if s == w {
				return s, true
			}
		}
		return "", false
	}, asIs)
}

func level(at func(*Config) *slog.Level) kind {
	return field(at, "debug, info, warn or error", func(s string) (slog.Level, bool) {
		switch strings.ToLower(strings.TrimSpace(s)) {
		case "debug":
			return slog.LevelDebug, true
		case "info":
			return slog.LevelInfo, true
		case "warn":
			return slog.LevelWarn, true
		case "error":
			return slog.LevelError, true
		}
		return 0, false
	}, func(l slog.Level) string { return strings.ToLower(l.String()) })
}

// secret is taken to the byte: Node does not trim JWT_SECRET either.
func secret(at func(*Config) *string) kind {
	return field(at, "any text but spaces alone", func(s string) (string, bool) {
		return s, strings.TrimSpace(s) != ""
	}, func(s string) string {
		if s == "" {
			return "not set"
		}
		return "set"
	})
}

func directory(at func(*Config) *string) kind {
	return field(at, "a path", func(s string) (string, bool) {
		return s, strings.TrimSpace(s) != "" && !strings.ContainsRune(s, 0)
	}, asIs)
}

// podID becomes part of Redis keys and of channel names.
func podID(at func(*Config) *string) kind {
	return field(at, "1 to 64 letters, digits, dots, dashes and underscores", func(s string) (string, bool) {
		s = strings.TrimSpace(s)
		if s == "" || len(s) > maxPodID {
			return "", false
		}
		for i := range len(s) {
			if !podIDByte(s[i]) {
				return "", false
			}
		}
		return s, true
	}, asIs)
}

const maxPodID = 64

func podIDByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '.' || b == '-' || b == '_'
}

func parseBool(s string) (bool, bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

// parseSize reads "1000", "256K", "25MiB". KB and MB are refused: half the world
// means 1000 by them and half 1024.
func parseSize(s string) (int64, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	digits := strings.TrimRight(s, "kmgib")
	var unit int64
	switch strings.TrimPrefix(s, digits) {
	case "":
		unit = 1
	case "k", "kib":
		unit = kib
	case "m", "mib":
		unit = mib
	case "g", "gib":
		unit = gib
	default:
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return 0, false
	}
	return n * unit, true
}

// parseDuration reads Go's form, and plain numbers as the milliseconds they are
// in a Node deployment.
func parseDuration(s string) (time.Duration, bool) {
	s = strings.TrimSpace(s)
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		const most = int64(1<<63-1) / int64(time.Millisecond)
		if ms < -most || ms > most {
			return 0, false
		}
		return time.Duration(ms) * time.Millisecond, true
	}
	d, err := time.ParseDuration(s)
	return d, err == nil
}

// timeText drops the zero parts Go prints: 2m, not 2m0s.
func timeText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func bytesText(n int64) string {
	for _, u := range []struct {
		unit int64
		name string
	}{{gib, "GiB"}, {mib, "MiB"}, {kib, "KiB"}} {
		if n >= u.unit && n%u.unit == 0 {
			return strconv.FormatInt(n/u.unit, 10) + " " + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

func orList(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
