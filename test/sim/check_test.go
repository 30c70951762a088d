package sim

import (
	"fmt"
	"slices"
	"time"

	"parley/models"
)

// unknowable is a repetition that nobody could have known to be one.
const unknowable = "unknowable"

// passed is what a user missed before they were removed and came back out of the
// chat: neither then nor when they are added again is it sent.
const passed = "missed, and back while out"

// fault is one guarantee that did not hold.
type fault struct {
	what string // lost, twice, again, leaked, order, failed, what announced finds, ghost, or unknowable
	why  string
}

func (f fault) String() string { return f.what + ": " + f.why }

// holding is a page that has a message.
type holding struct {
	page *page
	receipt
}

// repeated names a repetition: it is none of Parley's where what came last through
// a connection that broke can be known to nobody. A client that says how far it
// got leaves little in doubt, others all since they last answered a ping. Where the
// pod was killed that could have said more, what it had heard of all counts for sure.
func (p *page) repeated(what string, r receipt, stamped time.Time) string {
	broke, ok := p.ended[r.conn]
	if ok && !stamped.Before(p.sure(what, r.conn, broke)) {
		return unknowable
	}
	doubt := pingInterval + time.Second
	if p.modern && what == "twice" {
		doubt = 250 * time.Millisecond
	}
	if ok && r.at.After(broke.Add(-doubt)) {
		return unknowable
	}
	for _, o := range p.stalled { // its pod may have taken it for dead since it answered a ping last
		if r.at.After(o.from.Add(-pingInterval-time.Second)) && r.at.Before(o.to.Add(pingTimeout)) {
			return unknowable
		}
	}
	return what
}

// mostBehind is how far pods may be behind with what they have heard of all, with
// one of them just killed; what is told twice beyond is Parley's fault.
const mostBehind = 5 * time.Second

// sure is a time such that what was stamped before, and came through the connection,
// is not to come again: its pod was killed, and all that others can know is what
// that had said it had heard, or what it told the client by its last offset. Of one
// that was cut off others know no more until it is back.
func (p *page) sure(what string, conn int, broke time.Time) time.Time {
	pod, byOffset := p.on[conn], p.modern && what == "twice"
	if pod == nil || !pod.killed.Load() && (byOffset || !pod.cutOff(broke)) {
		return broke
	}
	if !byOffset {
		const rounds = 500 * time.Millisecond // it says what it had heard a round ago, or two
		return later(pod.marks.HeardAt(broke.Add(-rounds)), broke.Add(-mostBehind)).Add(-pingInterval - pingTimeout)
	}
	last := p.opened
	for _, r := range p.got {
		if r.conn == conn && r.at.After(last) {
			last = r.at
		}
	}
	const way = 5 * time.Millisecond // from its pod
	return later(pod.marks.HeardAt(last.Add(-way)), last.Add(-mostBehind))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// check holds what the pages were sent against what they were due.
func (w *world) check() (faults []fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	add := func(what, format string, args ...any) {
		faults = append(faults, fault{what, fmt.Sprintf(format, args...)})
	}
	byID := map[models.MessageID]sent{}
	all := append(w.unanswered(), w.sent...)
	for _, s := range all {
		byID[s.message.ID] = s
	}
	had := map[models.UserID]map[models.MessageID]holding{}
	for _, p := range w.all {
		if had[p.user] == nil {
			had[p.user] = map[models.MessageID]holding{}
		}
		if p.refused != "" {
			add("failed", "%s was refused: %s", p.name, p.refused)
		}
		seen := map[models.MessageID]receipt{}
		last := map[string]receipt{} // by connection, sender and chat
		for _, r := range p.got {
			s, known := byID[r.id]
			if !known {
				continue // not stored, so far as anybody was told
			}
			if before, again := seen[r.id]; again {
				add(p.repeated("twice", before, s.message.CreatedAt), "%s was sent %q on connection %d and again on %d", p.name, s.message.Text, before.conn, r.conn)
				continue
			}
			if before, again := had[p.user][r.id]; again && before.page != p {
				add(before.page.repeated("again", before.receipt, s.message.CreatedAt), "%s was sent %q, which %s had", p.name, s.message.Text, before.page.name)
			}
			seen[r.id] = r
			had[p.user][r.id] = holding{p, r}
			if s.number < 0 {
				continue
			}
			line := fmt.Sprint(r.conn, s.message.SenderID, s.message.ChatID)
			if before, ok := last[line]; ok && byID[before.id].pod == s.pod && byID[before.id].number > s.number {
				add("order", "%s was sent %q after %q", p.name, s.message.Text, byID[before.id].message.Text)
			}
			last[line] = r
			if from, out := w.out(p.user, s, r.at); out {
				add("leaked", "%s was sent %q of %v while out since %v", p.name, s.message.Text, s.message.CreatedAt, from)
			}
		}
	}
	faults = append(faults, w.announced(time.Now())...)
	for _, u := range w.usersSorted() {
		for _, s := range all {
			if _, got := had[u][s.message.ID]; !got && w.due(u, s) {
				what := "lost"
				switch {
				case w.underWay(u, s):
					what = unknowable
				case w.passedOver(u, s):
					what = passed
				}
				add(what, "%s never got %q, stored at %s", u, s.message.Text, s.message.CreatedAt.Format("05.000"))
			}
		}
	}
	return faults
}

// unanswered are the messages that are stored, and whose senders were not told:
// they are due like all others.
func (w *world) unanswered() (all []sent) {
	if w.database == nil {
		return nil
	}
	known := map[models.MessageID]bool{}
	for _, s := range w.sent {
		known[s.message.ID] = true
	}
	for _, m := range w.database.messages {
		if !known[m.ID] {
			all = append(all, sent{message: m, at: m.CreatedAt, number: -1})
		}
	}
	return all
}

func (w *world) usersSorted() (users []models.UserID) {
	for _, p := range w.all {
		if !slices.Contains(users, p.user) {
			users = append(users, p.user)
		}
	}
	return users
}

// due says whether the user was to get the message: all that was said while
// they took part for certain.
func (w *world) due(u models.UserID, s sent) bool {
	for _, m := range w.members {
		if m.user != u || m.chat != s.message.ChatID {
			continue
		}
		if !m.added { // out from the question on, until the answer to the next adding
			back := w.next(m)
			if !s.at.Before(m.asked) && s.message.CreatedAt.Before(back.did) {
				return false
			}
			if w.deaf(s.message.CreatedAt, m.asked) {
				return false // they were out before their pod could hear of it
			}
		}
	}
	return true
}

// deaf says whether pods did not hear each other all the time from when a message
// was stored until a member was removed, as far as is known for certain.
func (w *world) deaf(stored, removed time.Time) bool {
	const regroup = 10 * time.Second // until what was missed is told, at the very latest
	return removed.After(stored) && slices.ContainsFunc(w.outages, func(o outage) bool {
		return stored.After(o.from.Add(-time.Second)) && stored.Before(o.to) && removed.Before(o.to.Add(regroup))
	})
}

// underWay says whether the message may have been on its way to a page just when
// that was closed, or when the connection broke of one that cannot say how far it
// got: its pod had sent it, and cannot know that nobody was there.
func (w *world) underWay(u models.UserID, s sent) bool {
	near := func(at time.Time) bool {
		after := at.Sub(s.message.CreatedAt)
		return !at.IsZero() && after > -10*time.Millisecond && after < 20*time.Millisecond
	}
	return slices.ContainsFunc(w.all, func(p *page) bool {
		if p.user != u {
			return false
		}
		for _, broke := range p.broke {
			if !p.modern && near(broke) {
				return true
			}
		}
		for _, o := range p.stalled { // what its system had, it never read
			at := s.message.CreatedAt
			if !p.shut.IsZero() && at.After(o.from.Add(-time.Second)) && at.Before(p.shut) && p.shut.Before(o.to.Add(time.Second)) {
				return true
			}
		}
		return near(p.shut)
	})
}

// next is the adding that follows a removal; one without an answer is for ever.
func (w *world) next(m membership) membership {
	for _, n := range w.members {
		if n.added && n.user == m.user && n.chat == m.chat && !n.asked.Before(m.did) {
			return n
		}
	}
	far := time.Now().Add(time.Hour)
	return membership{asked: far, did: far}
}

// out says whether the message was none of the user's business: said while they
// were out for certain, or arrived after the removal was answered.
func (w *world) out(u models.UserID, s sent, arrived time.Time) (since time.Time, out bool) {
	for _, m := range w.members {
		if m.user != u || m.chat != s.message.ChatID || m.added {
			continue
		}
		back := w.next(m)
		said := s.message.CreatedAt
		if said.After(m.did) && said.Before(back.asked) {
			return m.did, true
		}
		const onItsWay = 10 * time.Millisecond // it was with the kernel already
		if arrived.After(m.did.Add(onItsWay)) && arrived.Before(back.asked) && said.Before(back.asked) {
			return m.did, true
		}
	}
	return time.Time{}, false
}
