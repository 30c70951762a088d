package rooms

import (
	"maps"
	"slices"
	"sort"
	"sync"
	"time"

	"parley/models"
)

const (
	// suspectAfter is how long a pod's mark stands still before its pod counts as
	// dead or cut off; goneAfter is for one that does not listen any more, either.
	suspectAfter = 5 * time.Second
	goneAfter    = time.Second
	// lookEvery is how often it is looked what silent pods have stored, and
	// storedWithin how long after its stamp all of it is there.
	lookEvery    = 2 * time.Second
	storedWithin = 2 * time.Second
	// historyPoints is by how many points it is remembered how far was heard when.
	historyPoints = 1024
)

// Marks is how far this pod has sent, and how far it has heard all pods, itself
// included. Its invariant:
//
//	Every message that is for a room of this pod, and that any pod stamped before
//	Heard, was given to this pod's hub before Heard said so.
//
// It holds because a pod's mark is no later than the oldest stamp of a message it
// has not handed to the others, because who reads a mark then waits for what was
// handed over before it, and because what cannot be known to be so stands still:
// while Redis is away, while the others are not heard, while what they said
// meanwhile is caught up with. Only Service.hear advances it.
//
// Times are compared only where one pod's clock made both: a mark is of the clock
// that its pod stamps with. That a pod is silent is measured by our own.
type Marks struct {
	now    func() time.Time
	pod    string
	keep   time.Duration // how far back HeardAt is asked
	forget time.Duration // after which a pod that is silent is none any more

	mu       sync.Mutex
	inFlight map[*flight]struct{}
	latest   time.Time // of the marks given: no stamp is before it
	over     bool      // nothing is stamped any more
	heard    time.Time
	listen   int // how many pods do, this one included; 0 for not known
	history  []point
	others   map[string]*other
	began    time.Time // when marks were first traded, and others known
	traded   time.Time // when they were last
}

// flight is a message between its stamp and the other pods.
type flight struct{ stamp time.Time }

// point says how far was heard from a moment on.
type point struct{ at, heard time.Time }

// other is what is known of another pod.
type other struct {
	mark models.Mark
	// since is when it last moved, by our clock.
	since time.Time
	// looked is when it was last looked, while it is silent, for what it had stored;
	// all that it had stamped before told was found then, or never is.
	looked, told time.Time
}

// NewMarks makes those of the pod. keep is how long a socket may be gone before
// that is noticed; forget is how long a pod may be silent and yet come back.
func NewMarks(pod string, now func() time.Time, keep, forget time.Duration) *Marks {
	return &Marks{pod: pod, now: now, keep: keep + time.Minute, forget: forget, inFlight: map[*flight]struct{}{}, others: map[string]*other{}}
}

// Heard is a time such that every message stamped before it was given to this
// pod's hub; zero where nothing is known yet.
func (m *Marks) Heard() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heard
}

// HeardAt is what Heard was at that moment; zero where that is not known any more.
func (m *Marks) HeardAt(at time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	after := sort.Search(len(m.history), func(i int) bool { return m.history[i].at.After(at) })
	if after == 0 {
		return time.Time{}
	}
	return m.history[after-1].heard
}

// MarkOf is the last that is known of another pod; ok is false where nothing is.
func (m *Marks) MarkOf(pod string) (mark models.Mark, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.others[pod]
	if o == nil {
		return models.Mark{}, false
	}
	return o.mark, true
}

// Suspect says whether a pod that was heard of is silent, or gone: nobody there
// answers for its sockets.
func (m *Marks) Suspect(pod string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.others[pod]
	return o != nil && m.silent(o)
}

// Still says whether a pod's mark stands still: it may be cut off, and whoever asks
// it for its sockets has no answer.
func (m *Marks) Still(pod string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.others[pod]
	return o != nil && !o.mark.Over && m.traded.Sub(o.since) >= goneAfter
}

// HeardBySilent is the least of what the pods had heard that are silent, or of all
// other pods while they cannot be heard of, of those that there were at that moment;
// zero is any. ok is false where there are none, or not all are known.
func (m *Marks) HeardBySilent(at time.Time) (heard time.Time, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !at.IsZero() && m.began.After(at) {
		return heard, false
	}
	unheardOf := m.now().Sub(m.traded) >= goneAfter
	for _, o := range m.others {
		if o.mark.Over || !m.silent(o) && !unheardOf || o.mark.Sent.Before(at.Add(-models.ClocksDiffer)) {
			continue
		}
		if !ok || o.mark.Heard.Before(heard) {
			heard, ok = o.mark.Heard, true
		}
	}
	return heard, ok
}

// silent needs mu. A pod that was killed is known sooner than one that is cut off:
// fewer listen than keep marks.
func (m *Marks) silent(o *other) bool {
	quiet := m.traded.Sub(o.since)
	return !o.mark.Over && (quiet >= suspectAfter || quiet >= goneAfter && m.listen > 0 && m.listen <= m.fresh())
}

// fresh counts the pods whose marks move, this one included; it needs mu.
func (m *Marks) fresh() int {
	n := 1
	for _, o := range m.others {
		if !o.mark.Over && m.traded.Sub(o.since) < goneAfter {
			n++
		}
	}
	return n
}

// listening notes how many pods listen.
func (m *Marks) listening(pods int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.listen = pods
}

// stamp is the time of a message that is about to be stored; landed is called once
// it is handed to the other pods, or refused.
func (m *Marks) stamp() (at time.Time, landed func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at = m.clock()
	return at, m.fliesLocked(at)
}

// flies is stamp for a message that has one.
func (m *Marks) flies(at time.Time) (landed func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fliesLocked(at)
}

func (m *Marks) fliesLocked(at time.Time) (landed func()) {
	f := &flight{at}
	m.inFlight[f] = struct{}{}
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.inFlight, f)
	}
}

// clock never goes back behind a mark; it needs mu.
func (m *Marks) clock() time.Time {
	if now := truncated(m.now()); now.After(m.latest) {
		return now
	}
	return m.latest
}

// mark is a time before which this pod has nothing in flight and will stamp
// nothing.
func (m *Marks) mark() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	mark := m.clock()
	m.latest = mark
	for f := range m.inFlight {
		mark = earlier(mark, f.stamp)
	}
	return mark
}

// handed is what the others are to be told once all before the mark is with them.
func (m *Marks) handed(mark time.Time) models.Mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	return models.Mark{Sent: mark, Heard: m.heard, Over: m.over}
}

// end is said once nothing is stamped any more; false says that of something it is
// not known whether it is stored.
func (m *Marks) end() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.over = len(m.inFlight) == 0
	return m.over
}

// read takes in what the other pods say, and returns those that have been silent
// for so long that they are none any more.
func (m *Marks) read(marks map[string]models.Mark) (gone []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if pause := now.Sub(m.traded); pause > suspectAfter/2 { // nobody could be heard of
		for _, o := range m.others {
			o.since = o.since.Add(pause)
		}
	}
	m.traded = now
	if m.began.IsZero() {
		m.began = now
	}
	for pod, mark := range marks {
		o := m.others[pod]
		switch {
		case pod == m.pod:
		case o == nil && now.Sub(mark.Sent) > m.forget+models.ClockSkew:
			gone = append(gone, pod) // long before we came
		case o == nil:
			m.others[pod] = &other{mark: mark, since: now}
		case mark != o.mark:
			*o = other{mark: mark, since: now}
		}
	}
	maps.DeleteFunc(m.others, func(pod string, o *other) bool {
		if now.Sub(o.since) <= m.forget {
			return false
		}
		gone = append(gone, pod)
		return true
	})
	return gone
}

// reach is how far this pod has heard once it has dealt with all that was handed
// over before the marks were read, its own being own.
func (m *Marks) reach(own time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.others {
		if !o.mark.Over {
			own = earlier(own, later(o.mark.Sent, o.told))
		}
	}
	return own
}

// hears notes how far was heard.
func (m *Marks) hears(heard time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.heard = heard
	if n := len(m.history); n > 0 && now.Sub(m.history[n-1].at) < m.keep/historyPoints {
		return
	}
	m.history = append(m.history, point{now, heard})
	old := 0
	for old < len(m.history)-1 && now.Sub(m.history[old+1].at) > m.keep {
		old++
	}
	m.history = slices.Delete(m.history, 0, old)
}

// live counts the pods that keep marks, this one included.
func (m *Marks) live() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 1
	for _, o := range m.others {
		if !o.mark.Over && m.traded.Sub(o.since) < suspectAfter {
			n++
		}
	}
	return n
}

// overdue says whether it is time to look in the database for what silent pods
// have stored, and not published, and from when on.
func (m *Marks) overdue(now time.Time) (since time.Time, due bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	since = m.heard
	for _, o := range m.others {
		if m.silent(o) {
			since = earlier(since, later(o.mark.Sent, o.told))
		}
	}
	if since.IsZero() {
		return since, false
	}
	for _, o := range m.others {
		if m.silent(o) && now.Sub(o.looked) >= lookEvery {
			return since, true
		}
	}
	return since, false
}

// told notes that, as of looked, what silent pods had stored is told.
func (m *Marks) told(looked time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.others {
		if m.silent(o) {
			o.looked, o.told = looked, looked.Add(-storedWithin)
		}
	}
}

func truncated(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
