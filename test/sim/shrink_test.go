package sim

import (
	"slices"
	"time"
)

// shrinking makes a history that breaks a guarantee as short as it can, trying
// what is left out or made smaller. Because a seed is a history only by and large,
// what breaks in two of three tries counts as breaking.
type shrinking struct {
	run  func(plan) ([]fault, error)
	left int // histories that may still happen
	what string
}

// grave is which of several broken guarantees is shrunk for; others follow.
var grave = []string{"lost", "leaked", "order", "ghost", "failed", "offline twice", "twice", "again"}

func gravest(faults []fault) string {
	for _, what := range grave {
		if slices.ContainsFunc(faults, func(f fault) bool { return f.what == what }) {
			return what
		}
	}
	for _, f := range faults {
		if f.what != unknowable {
			return f.what
		}
	}
	return ""
}

// shrink returns the shortest history found that breaks the gravest of what was
// broken; ok is false where it does not break it reliably.
func shrink(p plan, faults []fault, most int, run func(plan) ([]fault, error)) (short plan, what string, ok bool) {
	s := &shrinking{run: run, left: most, what: gravest(faults)}
	if !s.breaks(p) {
		return p, s.what, false
	}
	for again := true; again && s.left > 0; {
		again = false
		for _, pass := range []func(plan) (plan, bool){s.steps, s.end, s.world, s.times} {
			for q, better := pass(p); better; q, better = pass(p) {
				p, again = q, true
			}
		}
	}
	return p, s.what, true
}

// breaks says whether the guarantee is broken in two of three tries.
func (s *shrinking) breaks(p plan) bool {
	broken := 0
	for try := range 3 {
		if s.left <= 0 || broken+3-try < 2 {
			return false
		}
		s.left--
		faults, err := s.run(p)
		if err == nil && slices.ContainsFunc(faults, func(f fault) bool { return f.what == s.what }) {
			if broken++; broken == 2 {
				return true
			}
		}
	}
	return false
}

// steps leaves out as many as it can at once.
func (s *shrinking) steps(p plan) (plan, bool) {
	for n := (len(p.steps) + 1) / 2; n > 0; n /= 2 {
		for from := 0; from < len(p.steps); from += n {
			q := p
			q.steps = slices.Concat(p.steps[:from], p.steps[min(from+n, len(p.steps)):])
			if s.breaks(q) {
				return q, true
			}
		}
	}
	return p, false
}

// end stops sooner, or begins later.
func (s *shrinking) end(p plan) (plan, bool) {
	var last time.Duration
	for _, t := range p.steps {
		last = max(last, t.at+t.d)
	}
	q := p
	if q.length = last.Round(time.Second) + 2*time.Second; q.length < p.length && s.breaks(q) {
		return q, true
	}
	if len(p.steps) == 0 {
		return p, false
	}
	if early := p.steps[0].at - time.Second; early > 200*time.Millisecond {
		q.length, q.steps = p.length-early, slices.Clone(p.steps)
		for i := range q.steps {
			q.steps[i].at -= early
		}
		return q, s.breaks(q)
	}
	return p, false
}

// world has fewer users, pods and messages.
func (s *shrinking) world(p plan) (plan, bool) {
	if q := p; p.users > 3 {
		if q.users--; s.breaks(q) {
			return q, true
		}
	}
	if q := p; p.pods > 1 {
		if q.pods--; s.breaks(q) {
			return q, true
		}
	}
	if q := p; p.every < time.Second {
		if q.every *= 2; s.breaks(q) {
			return q, true
		}
	}
	return p, false
}

// times rounds what can be rounded.
func (s *shrinking) times(p plan) (plan, bool) {
	for _, unit := range []time.Duration{time.Second, 100 * time.Millisecond, time.Millisecond} {
		round := func(d *time.Duration) {
			if r := d.Round(unit); r > 0 {
				*d = r
			}
		}
		q := p
		q.steps = slices.Clone(p.steps)
		for i := range q.steps {
			round(&q.steps[i].at)
			round(&q.steps[i].d)
			q.steps[i].n %= 60 // a multiple of how many pods, pages and users there may be
		}
		if q.every = p.every.Round(10 * time.Millisecond); q.every == 0 {
			q.every = p.every
		}
		if (q.every != p.every || !slices.Equal(q.steps, p.steps)) && s.breaks(q) {
			return q, true
		}
	}
	return p, false
}
