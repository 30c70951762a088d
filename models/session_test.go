package models

import (
	"strings"
	"testing"
	"time"
)

func TestSessionID(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	id := NewSessionID("bob", now)
	if len(id) != 20 || id == NewSessionID("bob", now) {
		t.Errorf("%q", id)
	}
	if !id.Began().Equal(now) {
		t.Errorf("began %v", id.Began())
	}
	if got, ok := ParseSessionID(string(id), "bob", now.Add(time.Hour)); !ok || got != id {
		t.Errorf("%q, %v", got, ok)
	}
	for what, ok := range map[string]func() bool{
		"another user's": func() bool { _, ok := ParseSessionID(string(id), "eve", now); return ok },
		"too old":        func() bool { _, ok := ParseSessionID(string(id), "bob", now.Add(31*24*time.Hour)); return ok },
		"from tomorrow":  func() bool { _, ok := ParseSessionID(string(id), "bob", now.Add(-24*time.Hour)); return ok },
		"short":          func() bool { _, ok := ParseSessionID(string(id[:19]), "bob", now); return ok },
		"long":           func() bool { _, ok := ParseSessionID(string(id)+"AAAA", "bob", now); return ok },
		"no base64url":   func() bool { _, ok := ParseSessionID("+"+string(id[1:]), "bob", now); return ok },
		"empty":          func() bool { _, ok := ParseSessionID("", "bob", now); return ok },
		"a Node server's": func() bool {
			_, ok := ParseSessionID(strings.Repeat("x", 20), "bob", now)
			return ok
		},
	} {
		if ok() {
			t.Errorf("%s was taken", what)
		}
	}
}
