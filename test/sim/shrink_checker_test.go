package sim

import (
	"slices"
	"testing"
	"time"
)

func TestScriptsAreReadAsWritten(t *testing.T) {
	p := newPlan(7, kinds)
	q, err := readScript(p.String())
	if err != nil {
		t.Fatal(err)
	}
	if q.String() != p.String() || !slices.Equal(q.steps, p.steps) {
		t.Errorf("%v\nwas read as\n%v", p, q)
	}
	for _, text := range []string{"", "seed=1", "users=4 pods=2 length=1s every=1s; rain(1) at 2s", "users=4 pods=2 length=1s every=1s colour=3"} {
		if p, err := readScript(text); err == nil {
			t.Errorf("%q was read as %v", text, p)
		}
	}
}

// What a history needs to break is all that is left of it.
func TestShrinking(t *testing.T) {
	begins := func(p plan, k kind) time.Duration {
		i := slices.IndexFunc(p.steps, func(s step) bool { return s.kind == k })
		if i < 0 {
			return -1
		}
		return p.steps[i].at
	}
	runs := 0
	run := func(p plan) ([]fault, error) {
		runs++
		paused, reloaded := begins(p, pausedRed), begins(p, reloads)
		if runs%4 == 0 || p.users < 4 || paused < 0 || reloaded < paused {
			return []fault{{what: "twice"}}, nil
		}
		return []fault{{what: "twice"}, {what: "lost"}}, nil
	}
	p := newPlan(1, []kind{pausedRed, reloads, resets, membersIO})
	p.users = 6
	p.steps = append(p.steps, step{kind: pausedRed, at: 3 * time.Second, d: 1234 * time.Millisecond}, step{kind: reloads, at: 19*time.Second + 567*time.Millisecond})
	short, what, ok := shrink(p, []fault{{what: "twice"}, {what: "lost"}}, 300, run)
	if !ok || what != "lost" || len(short.steps) != 2 || short.users != 4 || short.pods != 1 {
		t.Errorf("%v, %q: %v", ok, what, short)
	}
	if _, _, ok := shrink(p, []fault{{what: "leaked"}}, 300, run); ok {
		t.Error("what does not happen again was made short")
	}
	runs = 0
	shrink(p, []fault{{what: "lost"}}, 10, run)
	if runs > 10 {
		t.Errorf("%d histories for ten", runs)
	}
}
