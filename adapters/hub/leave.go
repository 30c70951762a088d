package hub

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"parley/models"
)

// dismiss ends what works for the member.
func (m *member) dismiss() {
	m.cancel()
	m.mu.Lock()
	m.closed = true
	m.out, m.welcome, m.events = nil, nil, nil
	m.mu.Unlock()
	l := m.link
	l.mu.Lock()
	if l.member == m {
		l.member = nil
		l.idle = m.server.opts.Now()
	}
	l.mu.Unlock()
}

// depart is where every socket that was let in leaves, whatever the path; it is
// called any number of times and acts once. It never blocks.
func (s *Server) depart(m *member) {
	now := s.opts.Now()
	s.index.mu.Lock()
	if m.phase < admitted {
		s.index.mu.Unlock()
		return // OnConnect still runs, or refused it
	}
	p := s.parting(m, now)
	was, first := s.index.removeLocked(m)
	s.index.mu.Unlock()
	if !first {
		return
	}
	m.dismiss()
	if was == live {
		s.opts.Metrics.SocketClosed(p.departure.Reason)
	}
	if s.onDisconnect == nil {
		return
	}
	s.crew.run(func() {
		s.leavers <- struct{}{}
		defer func() { <-s.leavers }()
		m.link.settled()
		d := p.finish(m.link.lost())
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
	unsent    []sentAt  // what never reached the engine
}

// parting needs index.mu.
func (s *Server) parting(m *member, now time.Time) parting {
	p := parting{until: now, departure: models.Departure{
		UserID: m.user, SocketID: models.SocketID(m.id), Reason: m.reason(), Welcomed: m.phase == live,
		Session: m.session,
	}}
	p.departure.Deliberate = m.link.goodbye.Load() || slices.Contains([]string{reasonClient, reasonServer, cutKicked}, p.departure.Reason)
	if p.departure.Reason == reasonPing {
		p.until = time.Unix(0, m.link.heard.Load()).UTC()
	}
	m.mu.Lock()
	p.departure.Backlog = len(m.given)
	p.departure.Sent = slices.Clone(m.given)
	for _, f := range slices.Concat(m.welcome, m.out) {
		if f.id != "" {
			p.unsent = append(p.unsent, sentAt{id: f.id, at: f.at})
		}
	}
	for id := range m.backlog {
		p.sent = append(p.sent, sentAt{id: id, at: m.quiet.Add(-backlogQuiet)})
	}
	m.mu.Unlock()
	if !p.departure.Welcomed {
		return p // it never listened
	}
	p.sent = append(p.sent, m.retold...)
	for name, since := range m.rooms {
		r := s.index.rooms[name]
		if r == nil {
			continue
		}
		for _, sent := range slices.Backward(r.recent.sent) {
			if sent.at.Before(since) {
				break
			}
			p.sent = append(p.sent, sent)
		}
		if from := r.recent.sent; !r.recent.dropped.Before(since) && len(from) > 0 && from[0].at.After(p.departure.SentFrom) {
			p.departure.SentFrom = from[0].at
		}
	}
	return p
}

// finish says when the socket was last listening and what it had been sent by
// then. What was not written to the connection was not seen: At is not later
// than the oldest of it, so that it is sent again.
func (p *parting) finish(unwritten []sentAt) models.Departure {
	d := p.departure
	d.At = p.until
	p.inOrder(&d)
	lost := make(map[models.MessageID]struct{}, len(p.unsent)+len(unwritten))
	for _, u := range slices.Concat(p.unsent, unwritten) {
		lost[u.id] = struct{}{}
		if u.at.Before(d.At) {
			d.At = u.at
		}
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

// settled waits for a write that is under way: a client may have read it and
// gone before its writer has said so.
func (l *link) settled() {
	deadline := time.NewTimer(settleTimeout)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		l.mu.Lock()
		transport := l.transport
		l.mu.Unlock()
		if w, ok := transport.(*webSocket); !ok || w.settled() {
			return
		}
		select {
		case <-deadline.C:
			return
		case <-tick.C:
		}
	}
}

// lost returns the messages that were handed to the engine and not written.
func (l *link) lost() []sentAt {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]sentAt, 0, len(l.unsent))
	for _, k := range l.unsent {
		all = append(all, sentAt{id: k.id, at: k.at})
	}
	return all
}

// reason prefers what this pod did over how the library saw it end.
func (m *member) reason() string {
	if r := m.link.reason.Load(); r != nil {
		return *r
	}
	if r := m.disconnected.Load(); r != nil {
		return *r
	}
	return reasonLost
}
