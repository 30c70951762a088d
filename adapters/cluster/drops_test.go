package cluster

import (
	"strings"
	"testing"
)

func TestBriefIsBrief(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		v    any
		want string
	}{
		{"x", `"x"`}, {"", `""`}, {nil, "<nil>"}, {true, "true"}, {1.5, "1.5"},
		{[]any{"x"}, "of Go type []interface {}"},
		{strings.Repeat("\x93", 64), `"` + strings.Repeat(`\x93`, 64) + `"`},
		{strings.Repeat("\x93", 5_000_000), `"` + strings.Repeat(`\x93`, 64) + `"… (5000000 bytes)`},
	} {
		if got := brief(tc.v); got != tc.want {
			t.Errorf("%.20v: %s, want %s", tc.v, got, tc.want)
		}
	}
}

// A field of a stream entry that is megabytes long is not repeated in the log.
func TestAnErrorDoesNotRepeatTheJunk(t *testing.T) {
	t.Parallel()
	b := &streams{peers: peers{link: &link{settings: settings{nsp: "/"}}}}
	err := b.onEntry(fields{"nsp": "/", "type": strings.Repeat("\x93", 5_000_000)})
	if err == nil || len(err.Error()) > 1000 {
		t.Errorf("%.100v", err)
	}
}
