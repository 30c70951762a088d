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
	now := s.opts.Now()
	s.index.mu.Lock()
	if m.phase < admitted || m.phase == gone {
		s.index.mu.Unlock()
		return // OnConnect still runs, or refused it; or it has left
	}
	p := s.parting(m, reason, now)
	was, _ := s.index.removeLocked(m)
	s.index.mu.Unlock()
	if was == live {
		s.opts.Metrics.SocketClosed(p.departure.Reason)
	}
	if s.onDisconnect == nil {
		return
	}
	d := p.finish()
	s.crew.Run(func() {
		s.leavers <- struct{}{}
		defer func() { <-s.leavers }()
		ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
		defer cancel()
		s.guard("OnDisconnect", func() { s.onDisconnect(ctx, d) })
	})
}

// parting is what is known of a departure at the moment of it.
type parting struct {
	departure models.Departure
	until     time.Time // nothing sent later was seen
	sent      []sentAt  // what was sent to its rooms, not necessarily to it
	unsent    []sentAt  // what never reached the client whole
}

// parting needs index.mu.
func (s *Server) parting(m *member, reason socketio.Reason, now time.Time) parting {
	name, _ := reasonOf(reason)
	p := parting{until: now, departure: models.Departure{
		UserID: m.user, SocketID: models.SocketID(m.id), Reason: name, Welcomed: m.phase == live,
		Session:    m.resume,
		Unserved:   m.phase == live && m.gate != nil,
		Deliberate: slices.Contains([]string{reasonClient, reasonServer, cutKicked}, name),
		Backlog:    len(m.history.given), Sent: slices.Clone(m.history.given),
	}}
	if m.mayBeDead(name) {
		p.until = m.session.LastHeard().UTC()
	}
	for id := range m.history.backlog {
		p.sent = append(p.sent, sentAt{id: id, at: m.history.quiet.Add(-backlogQuiet)})
	}
	p.unsent = m.unsent()
	if !p.departure.Welcomed {
		return p // it never listened
	}
	p.sent = append(p.sent, m.history.apart...)
	p.departure.SentFrom = m.history.from
	for _, seat := range m.seats {
		sent, from := seat.sent()
		p.sent = append(p.sent, sent...)
		p.departure.SentFrom = later(p.departure.SentFrom, from)
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

// finish says when the socket was last listening and what it had been sent by
// then. What was not written to the connection was not seen: At is not later
// than the oldest of it, so that it is sent again.
func (p *parting) finish() models.Departure {
	d := p.departure
	d.At = p.until
	p.inOrder(&d)
	lost := make(map[models.MessageID]struct{}, len(p.unsent))
	for _, u := range p.unsent {
		lost[u.id] = struct{}{}
		if u.at.Before(d.At) {
			d.At = u.at
		}
	}
	if first := slices.IndexFunc(d.Sent, func(s models.Delivery) bool {
		_, no := lost[s.ID]
		return no || s.At.After(p.until)
	}); first >= 0 {
		d.Unread = len(d.Sent) - first
	}
	if !d.Welcomed {
		return d
	}
	from := d.At.Add(-seenWindow)
	d.Seen = newest(slices.DeleteFunc(p.sent, func(s sentAt) bool {
		_, no := lost[s.id]
		return no || s.at.Before(from) || s.at.After(p.until)
	}), maxSeen)
	return d
}

// inOrder completes what the socket was sent by what its rooms were.
func (p *parting) inOrder(d *models.Departure) {
	live := slices.Clone(p.sent)
	slices.SortStableFunc(live, func(a, b sentAt) int { return a.at.Compare(b.at) })
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
