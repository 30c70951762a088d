package models

import (
	"testing"
	"time"
)

func TestFollowed(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	device := func(agent, addr string) Device { return Device{Protocol: 4, Agent: agent, Addr: addr} }
	left := func(socket SocketID, ago time.Duration, d Device) Vacancy {
		return Vacancy{SocketID: socket, Device: d, Absence: Absence{Since: now.Add(-ago), Had: Had{Heard: now.Add(-ago - time.Second)}}}
	}
	for what, tc := range map[string]struct {
		all   []Vacancy
		by    Device
		taken SocketID
		had   time.Duration // since when, ago
	}{
		"nobody":                       {by: device("x", "a")},
		"another browser":              {all: []Vacancy{left("s", 1, device("y", "a"))}, by: device("x", "a")},
		"another protocol":             {all: []Vacancy{left("s", 1, Device{Protocol: 3})}, by: Device{Protocol: 4}},
		"the last":                     {[]Vacancy{left("s", time.Minute, device("x", "b")), left("t", 5*time.Second, device("x", "c"))}, device("x", "a"), "t", 5 * time.Second},
		"the one that came from there": {[]Vacancy{left("s", time.Minute, device("x", "a")), left("t", time.Second, device("x", "c"))}, device("x", "a"), "s", time.Minute},
		"one that is known":            {[]Vacancy{left("s", time.Second, Device{}), left("t", time.Minute, device("x", "c"))}, device("x", "a"), "t", time.Minute},
		"two that left together":       {[]Vacancy{left("s", 2*time.Second, device("x", "b")), left("t", 1500*time.Millisecond, device("x", "c"))}, device("x", "a"), "t", 2 * time.Second},
		"of a pod that died":           {[]Vacancy{left("s", time.Second, Device{})}, device("x", "a"), "s", time.Second},
	} {
		had, taken, ok := Followed(tc.all, tc.by)
		if ok != (tc.taken != "") || taken != tc.taken || ok && !had.Since.Equal(now.Add(-tc.had)) {
			t.Errorf("%s: %v, %q, %v", what, had.Since, taken, ok)
		}
	}
}
