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
		"as it should be":                {in: Absence{Since: now, Had: Had{Seen: []MessageID{good}}}, want: Absence{Since: now, Had: Had{Seen: []MessageID{good}}}, ok: true},
		"a clock that is a little ahead": {in: Absence{Since: now.Add(time.Second)}, want: Absence{Since: now.Add(time.Second)}, ok: true},
		"ids that are none": {
			in:   Absence{Since: now, Had: Had{Seen: []MessageID{"notice-1", good, "", "7d444840-9dc0-11d1-b245-5ffdce74fad2"}}},
			want: Absence{Since: now, Had: Had{Seen: []MessageID{good}}}, odd: true, ok: true,
		},
		"an id in upper case":  {in: Absence{Since: now, Had: Had{Seen: []MessageID{MessageID(strings.ToUpper(string(good)))}}}, want: Absence{Since: now, Had: Had{Seen: []MessageID{good}}}, ok: true},
		"a beginning to come":  {in: Absence{Since: now.AddDate(8000, 0, 0)}, odd: true},
		"no beginning":         {in: Absence{}, odd: true},
		"before there was any": {in: Absence{Since: time.UnixMilli(-1 << 62)}, odd: true},
		"what was heard":       {in: Absence{Since: now, Had: Had{Heard: now.Add(-time.Second)}}, want: Absence{Since: now, Had: Had{Heard: now.Add(-time.Second)}}, ok: true},
		"what is yet to be":    {in: Absence{Since: now, Had: Had{Heard: now.Add(time.Hour)}}, want: Absence{Since: now}, odd: true, ok: true},
		"an end to come":       {in: Absence{Since: now, Back: now.AddDate(1, 0, 0)}, want: Absence{Since: now, Back: now}, odd: true, ok: true},
	} {
		got, odd, ok := tc.in.Checked(now)
		if tc.want.Heard.IsZero() {
			tc.want.Heard = tc.want.Since.Add(-Slack) // as of versions before
		}
		if ok && !got.Heard.Equal(tc.want.Heard) || !got.Since.Equal(tc.want.Since) || !got.Back.Equal(tc.want.Back) || !slices.Equal(got.Seen, tc.want.Seen) || odd != tc.odd || ok != tc.ok {
			t.Errorf("%s: %+v, odd %v, ok %v", what, got, odd, ok)
		}
	}
	many := slices.Repeat([]MessageID{good}, 10*MaxSeen)
	if got, odd, ok := (Absence{Since: now, Had: Had{Seen: many}}).Checked(now); len(got.Seen) != MaxSeen || !odd || !ok {
		t.Errorf("%d seen, odd %v, ok %v", len(got.Seen), odd, ok)
	}
}

func TestCheckedSession(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	good := MessageID(strings.Repeat("a1", 12))
	before := Had{Heard: now.Add(-time.Hour), Seen: []MessageID{"notice-1"}}
	got, odd, ok := Session{UserID: "bob", Before: before, Came: now, Backlog: 2, Unread: 2, Sent: []Delivery{
		{ID: "notice-2", At: now}, {ID: good, At: now}, {ID: good, At: now.AddDate(100, 0, 0)}, {ID: good, At: now},
	}}.Checked(now)
	if !ok || !odd || got.Backlog != 1 || got.Unread != 1 || len(got.Sent) != 2 || len(got.Before.Seen) != 0 || got.Before.Heard != before.Heard {
		t.Errorf("%+v, odd %v, ok %v", got, odd, ok)
	}
	for what, s := range map[string]Session{
		"nobody's":                  {Came: now},
		"of no time":                {UserID: "bob"},
		"with more missed than all": {UserID: "bob", Came: now, Backlog: 1},
		"with more unread than all": {UserID: "bob", Came: now, Unread: 1},
		"with less than nothing":    {UserID: "bob", Came: now, Backlog: -1},
		"without end":               {UserID: "bob", Came: now, Sent: make([]Delivery, MaxSent+1)},
	} {
		if _, odd, ok := s.Checked(now); ok || !odd {
			t.Errorf("a session %s: odd %v, ok %v", what, odd, ok)
		}
	}
}

func TestHad(t *testing.T) {
	t0 := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(s int) time.Time { return t0.Add(time.Duration(s) * time.Second) }
	had := Had{Heard: at(10), Seen: []MessageID{"a"}}
	for what, c := range map[string]struct {
		m      Message
		misses bool
	}{
		"before": {Message{ID: "x", CreatedAt: at(9)}, false}, "then": {Message{ID: "x", CreatedAt: at(10)}, true},
		"seen": {Message{ID: "a", CreatedAt: at(11)}, false}, "after": {Message{ID: "x", CreatedAt: at(11)}, true},
	} {
		if had.Misses(c.m) != c.misses {
			t.Errorf("%s: misses %v", what, !c.misses)
		}
	}
	came := at(20)
	for what, c := range map[string]struct{ sent, want Had }{
		"nothing":      {Had{}, had},
		"soon":         {Had{Heard: at(19), Seen: []MessageID{"b"}}, Had{Heard: at(19), Seen: []MessageID{"a", "b"}}},
		"long after":   {Had{Heard: at(60), Seen: []MessageID{"b"}}, Had{Heard: at(60), Seen: []MessageID{"b"}}},
		"known better": {Had{Heard: at(5), Seen: []MessageID{"b"}}, Had{Heard: at(10), Seen: []MessageID{"a", "b"}}},
	} {
		if got := had.And(c.sent, came); !got.Heard.Equal(c.want.Heard) || !slices.Equal(got.Seen, c.want.Seen) {
			t.Errorf("%s: %v", what, got)
		}
	}
}

func TestOffset(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	id := MessageID(strings.Repeat("a1", 12))
	for _, o := range []Offset{{ID: id}, {ID: id, Heard: now}, {ID: id, Heard: time.UnixMilli(1).UTC()}} {
		if got, ok := ParseOffset(o.String(), now); !ok || got != o {
			t.Errorf("%q: %v, %v", o, got, ok)
		}
	}
	for _, text := range []string{
		"", "hello", string(id) + ".", string(id) + ".0", string(id) + ".-1", string(id) + ".x y", "." + string(id),
		string(id) + ".zzzzzzzzzzzzz", Offset{ID: id, Heard: now.Add(time.Hour)}.String(), string(id)[1:] + ".mk0",
	} {
		if o, ok := ParseOffset(text, now); ok {
			t.Errorf("%q: %v", text, o)
		}
	}
}
