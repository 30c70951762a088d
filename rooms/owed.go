package rooms

import (
	"context"
	"maps"
	"slices"
	"time"

	"parley/models"
)

// maxOwed bounds the departures remembered here; presence remembers as many.
// owedFor is when one counts as forgotten there.
const (
	maxOwed = 65536
	owedFor = time.Hour
)

// owed is a socket of this pod that has left while Redis was away: it may still
// count, and what its client had is known here alone.
type owed struct {
	departure models.Departure
	absence   models.Absence
	came      time.Time // when it was let in
	device    models.Device
	// followed is true where its client is back already.
	followed bool
	// until is when that is of no use any more; zero while it is not told yet.
	until time.Time
}

// owe remembers what could not be noted of a departure.
func (s *Service) owe(o owed) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.owes) >= maxOwed {
		maps.DeleteFunc(s.owes, func(_ models.SocketID, old owed) bool {
			return old.over(now) || now.Sub(old.departure.At) > owedFor
		})
	}
	if len(s.owes) < maxOwed {
		s.owes[o.departure.SocketID] = o
	}
}

func (o owed) over(now time.Time) bool { return !o.until.IsZero() && now.After(o.until) }

// paid returns what was remembered of the socket, and forgets it soon: who comes
// just now may have been counted beside it.
func (s *Service) paid(socket models.SocketID) (o owed, ok bool) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, ok = s.owes[socket]; ok {
		o.until = now.Add(s.Limits.ReloadPatience)
		s.owes[socket] = o
	}
	return o, ok
}

// owedBy returns what is owed of the user's departures.
func (s *Service) owedBy(user models.UserID) []owed {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	var mine []owed
	for id, o := range s.owes {
		switch {
		case o.over(now):
			delete(s.owes, id)
		case o.departure.UserID == user:
			mine = append(mine, o)
		}
	}
	return mine
}

// withoutOwed is the arrival of the socket as it would be had Redis not been
// away: those beside it whose departure is owed have left.
func (s *Service) withoutOwed(ctx context.Context, user models.UserID, socket models.SocketID, arrival models.Arrival) (models.Arrival, error) {
	mine := s.owedBy(user)
	if len(mine) == 0 {
		return arrival, nil
	}
	sockets, err := s.Presence.Sockets(ctx, user)
	if err != nil {
		return arrival, err
	}
	ours, err := s.Presence.Ours(ctx, user)
	if err != nil {
		return arrival, err
	}
	gone := 1 // the socket itself
	for _, o := range mine {
		if slices.Contains(sockets, o.departure.SocketID) {
			gone++
		}
	}
	arrival.Others, arrival.Ours = max(0, len(sockets)-gone), max(0, ours-gone)
	for _, o := range mine {
		if !arrival.Noted || arrival.Absence.Since.Before(o.absence.Since) {
			arrival.Absence, arrival.Noted = o.absence, true
		}
	}
	return arrival, nil
}
