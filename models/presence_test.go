package models

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCheckedAbsence(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	good := MessageID(strings.Repeat("a1", 12))
	for what, tc := range map[string]struct {
		in, want Absence
		odd, ok  bool
	}{
		"as it should be":                {in: Absence{Since: now, Seen: []MessageID{good}}, want: Absence{Since: now, Seen: []MessageID{good}}, ok: true},
		"a clock that is a little ahead": {in: Absence{Since: now.Add(time.Second)}, want: Absence{Since: now.Add(time.Second)}, ok: true},
		"ids that are none": {
			in:   Absence{Since: now, Seen: []MessageID{"notice-1", good, "", "7d444840-9dc0-11d1-b245-5ffdce74fad2"}},
			want: Absence{Since: now, Seen: []MessageID{good}}, odd: true, ok: true,
		},
		"an id in upper case":  {in: Absence{Since: now, Seen: []MessageID{MessageID(strings.ToUpper(string(good)))}}, want: Absence{Since: now, Seen: []MessageID{good}}, ok: true},
		"a beginning to come":  {in: Absence{Since: now.AddDate(8000, 0, 0)}, odd: true},
		"no beginning":         {in: Absence{}, odd: true},
		"before there was any": {in: Absence{Since: time.UnixMilli(-1 << 62)}, odd: true},
		"an end to come":       {in: Absence{Since: now, Back: now.AddDate(1, 0, 0)}, want: Absence{Since: now, Back: now}, odd: true, ok: true},
	} {
		got, odd, ok := tc.in.Checked(now)
		if !got.Since.Equal(tc.want.Since) || !got.Back.Equal(tc.want.Back) || !slices.Equal(got.Seen, tc.want.Seen) || odd != tc.odd || ok != tc.ok {
			t.Errorf("%s: %+v, odd %v, ok %v", what, got, odd, ok)
		}
	}
	many := slices.Repeat([]MessageID{good}, 10*MaxSeen)
	if got, odd, ok := (Absence{Since: now, Seen: many}).Checked(now); len(got.Seen) != MaxSeen || !odd || !ok {
		t.Errorf("%d seen, odd %v, ok %v", len(got.Seen), odd, ok)
	}
}

func TestCheckedSession(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	good := MessageID(strings.Repeat("a1", 12))
	before := Absence{Since: now.Add(-time.Hour), Seen: []MessageID{"notice-1"}}
	got, odd, ok := Session{UserID: "bob", Before: before, Backlog: 2, Unread: 2, Sent: []Delivery{
		{ID: "notice-2", At: now}, {ID: good, At: now}, {ID: good, At: now.AddDate(100, 0, 0)}, {ID: good, At: now},
	}}.Checked(now)
	if !ok || !odd || got.Backlog != 1 || got.Unread != 1 || len(got.Sent) != 2 || len(got.Before.Seen) != 0 {
		t.Errorf("%+v, odd %v, ok %v", got, odd, ok)
	}
	for what, s := range map[string]Session{
		"nobody's":                  {Before: Absence{Since: now}},
		"of no time":                {UserID: "bob"},
		"with more missed than all": {UserID: "bob", Before: Absence{Since: now}, Backlog: 1},
		"with more unread than all": {UserID: "bob", Before: Absence{Since: now}, Unread: 1},
		"with less than nothing":    {UserID: "bob", Before: Absence{Since: now}, Backlog: -1},
		"without end":               {UserID: "bob", Before: Absence{Since: now}, Sent: make([]Delivery, MaxSent+1)},
	} {
		if _, odd, ok := s.Checked(now); ok || !odd {
			t.Errorf("a session %s: odd %v, ok %v", what, odd, ok)
		}
	}
}
