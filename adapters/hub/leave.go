package hub

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"parley/adapters/engineio"
	"parley/adapters/socketio"
	"parley/models"
)

// depart is where every socket that was let in leaves, whatever the path; it is
// called any number of times and acts once. It never blocks.
func (s *Server) depart(m *member, reason socketio.Reason) {
	s.index.mu.Lock()
	now := s.index.tick(s.opts.Now())
	if m.phase < admitted || m.phase == gone {
		s.index.mu.Unlock()
		return // OnConnect still runs, or refused it; or it has left
	}
	p := m.parting(reason, now)
	was, _ := s.index.removeLocked(m)
	s.index.mu.Unlock()
	d := p.departure(s.heardAt)
	if was == live {
		s.opts.Metrics.SocketClosed(d.Reason)
	}
	if s.onDisconnect == nil {
		return
	}
	s.crew.Run(func() {
		s.leavers <- struct{}{}
		defer func() { <-s.leavers }()
		ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
		defer cancel()
		s.guard("OnDisconnect", func() { s.onDisconnect(ctx, d) })
	})
}

// parting is what a socket is known by at the moment it leaves.
type parting struct {
	member  *member
	reason  string
	phase   phase
	behind  bool      // its gate: it is still looked up what it missed
	came    time.Time // when it had been given all that it missed; zero before
	until   time.Time // nothing sent later was seen
	backlog []models.Delivery
	given   []sentAt // the part of the backlog that is told apart
	// sent is what was sent to its rooms, not necessarily to it, all since from;
	// unsent is what never reached the client whole.
	sent, unsent []sentAt
	from         time.Time
}

// parting needs index.mu.
func (m *member) parting(reason socketio.Reason, now time.Time) parting {
	name, _ := reasonOf(reason)
	p := parting{
		member: m, reason: name, phase: m.phase, behind: m.gate != nil, came: m.history.came, until: now,
		backlog: slices.Clone(m.history.given), unsent: m.unsent(),
	}
	if m.mayBeDead(name) {
		p.until = m.session.LastHeard().UTC()
	}
	for id, at := range m.history.backlog {
		p.given = append(p.given, sentAt{id: id, at: at})
	}
	if p.phase != live {
		return p // it never listened
	}
	p.sent, p.from = slices.Clone(m.history.apart), m.history.from
	for _, seat := range m.seats {
		sent, from := seat.sent()
		p.sent, p.from = append(p.sent, sent...), later(p.from, from)
	}
	return p
}

// mayBeDead says whether its connection may have broken unnoticed, so that what was
// written to it since its client was last heard is as good as not sent.
func (m *member) mayBeDead(reason string) bool {
	switch reason {
	case reasonPing, cutSlowClient:
		return true
	case cutShuttingDown, cutTokenExpired:
		return m.session.Transport() == engineio.WebSocket && !m.session.Told()
	}
	return false
}

// departure says when the socket was last listening and what its client had been
// sent by then: what is on its way to it, or held back for it, it has not had. All
// that was given to its connection before the oldest of that it has: once it was
// given what it had missed, all that this pod had heard by then. Of what came later
// it has what is not unsent.
func (p *parting) departure(heardAt func(time.Time) time.Time) models.Departure {
	m := p.member
	d := models.Departure{
		UserID: m.user, SocketID: models.SocketID(m.id), Reason: p.reason, Session: m.resume, At: p.until,
		Welcomed: p.phase == live, Unserved: p.phase == live && p.behind,
		Deliberate: slices.Contains([]string{reasonClient, reasonServer, cutKicked}, p.reason),
	}
	lost := make(map[models.MessageID]struct{}, len(p.unsent))
	for _, u := range p.unsent {
		lost[u.id] = struct{}{}
		if u.at.Before(d.At) {
			d.At = u.at
		}
	}
	unread := func(s sentAt) bool {
		_, no := lost[s.id]
		return no || s.at.After(p.until)
	}
	p.inOrder(&d)
	if first := slices.IndexFunc(d.Sent, func(s models.Delivery) bool { return unread(sentAt{s.ID, s.At}) }); first >= 0 {
		d.Unread = len(d.Sent) - first
	}
	if !d.Welcomed {
		return d
	}
	if !p.came.IsZero() && p.came.Before(d.At) {
		d.Heard = heardAt(d.At)
	}
	since := d.Heard.Add(-models.ClocksDiffer)
	d.Seen = newest(slices.DeleteFunc(append(p.given, p.sent...), func(s sentAt) bool { return unread(s) || s.at.Before(since) }), maxSeen)
	return d
}

// inOrder says what the socket was sent, its backlog first.
func (p *parting) inOrder(d *models.Departure) {
	live := slices.Clone(p.sent)
	slices.SortStableFunc(live, func(a, b sentAt) int { return a.at.Compare(b.at) })
	d.Sent, d.Backlog, d.SentFrom = p.backlog, len(p.backlog), p.from
	if over := len(live) - maxSeen; over > 0 {
		live = live[over:]
		d.SentFrom = live[0].at
	}
	known := make(map[models.MessageID]struct{}, len(d.Sent)+len(live))
	for _, b := range d.Sent {
		known[b.ID] = struct{}{}
	}
	for _, l := range live {
		if _, already := known[l.id]; !already {
			known[l.id] = struct{}{}
			d.Sent = append(d.Sent, models.Delivery{ID: l.id, At: l.at})
		}
	}
}

// newest returns the ids of the newest of what was sent, oldest first, each once.
func newest(sent []sentAt, limit int) []models.MessageID {
	slices.SortFunc(sent, func(a, b sentAt) int {
		return cmp.Or(strings.Compare(string(a.id), string(b.id)), a.at.Compare(b.at))
	})
	sent = slices.CompactFunc(sent, func(a, b sentAt) bool { return a.id == b.id })
	slices.SortStableFunc(sent, func(a, b sentAt) int { return a.at.Compare(b.at) })
	sent = sent[max(0, len(sent)-limit):]
	ids := make([]models.MessageID, len(sent))
	for i, s := range sent {
		ids[i] = s.id
	}
	return ids
}

// unsent are the messages that are not known to be written to the connection,
// those held back at the door or not taken any more among them; it needs
// index.mu.
func (m *member) unsent() []sentAt {
	all := slices.Clone(m.refused)
	for _, f := range m.session.Pending() {
		if sent, ok := f.Tag().(*sentAt); ok {
			all = append(all, *sent)
		}
	}
	if m.gate != nil {
		for _, msg := range slices.Concat(m.gate.welcome, m.gate.held) {
			if msg.sent != nil {
				all = append(all, *msg.sent)
			}
		}
	}
	return all
}
