package rooms

import (
	"context"
	"slices"
	"time"

	"parley/models"
)

// A socket that leaves while others of its user stay begins no absence: its user is
// there. What it had is kept for RECOVERY_WINDOW all the same, for who comes in its
// place and cannot say so: its page loaded anew, or its client, of before 4.6.

// vacate keeps what a socket had that left beside others.
func (s *Service) vacate(ctx context.Context, o owed) {
	d := o.departure
	if s.Limits.Recovery == 0 || s.isFollowed(d.SocketID) {
		return
	}
	v := models.Vacancy{Absence: o.absence, SocketID: d.SocketID, Device: o.device}
	if o.word.UserID != "" {
		v.Session = d.Session
	}
	if err := s.Presence.Vacate(ctx, d.UserID, v, s.Limits.Recovery); err != nil {
		s.Logger.Warn("what a socket had is not kept for who follows it", "user", d.UserID, "error", err)
		s.Metrics.Dropped("vacancy_not_kept")
	}
}

// follows is what the client has that one had that left before it came, if it can be
// the same; nobody else takes it then. Where it is found already whom it follows,
// left stays.
func (s *Service) follows(ctx context.Context, user models.UserID, door Door, left models.Absence, found bool, came time.Time) (models.Absence, bool) {
	if s.Limits.Recovery == 0 {
		return left, found
	}
	if !found { // or what it was let in with
		left = s.entrance(door.SocketID()).absence
	}
	all, err := s.Presence.Vacancies(ctx, user, s.Limits.Recovery)
	if err != nil {
		s.Logger.Warn("not known whom a socket follows", "user", user, "error", err)
		s.Metrics.Dropped("vacancies_unknown")
	}
	all = append(all, s.owedVacancies(user)...)
	all = slices.DeleteFunc(all, func(v models.Vacancy) bool { return v.Since.After(came.Add(time.Second)) })
	same := slices.IndexFunc(all, func(v models.Vacancy) bool { return v.Since.Equal(left.Since) })
	if same >= 0 {
		s.take(ctx, user, all[same].SocketID)
		return left, found
	}
	for !found && len(all) > 0 {
		had, socket, ok := models.Followed(all, door.Device())
		if !ok {
			break
		}
		if s.take(ctx, user, socket) {
			s.goesOn(door.SocketID(), had, true)
			return had, true
		}
		all = slices.DeleteFunc(all, func(v models.Vacancy) bool { return v.SocketID == socket })
	}
	return left, found
}

// take says whether nobody else has taken it.
func (s *Service) take(ctx context.Context, user models.UserID, socket models.SocketID) bool {
	if s.takeOwed(socket) {
		return true
	}
	taken, err := s.Presence.Follow(ctx, user, socket)
	if err != nil {
		s.Logger.Warn("not noted whom a socket follows", "user", user, "error", err)
		return true // nothing is lost by it
	}
	return taken
}

// goesOn is for a socket whose client turns out to have what another had.
func (s *Service) goesOn(socket models.SocketID, left models.Absence, follows bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w, ok := s.welcomes[socket]; ok {
		w.absence, w.follows = left, follows || w.follows
		s.welcomes[socket] = w
	}
}

func (s *Service) entrance(socket models.SocketID) entrance {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.welcomes[socket]
}

// owedVacancies are sockets of the user that have left this pod while Redis was away.
func (s *Service) owedVacancies(user models.UserID) (all []models.Vacancy) {
	for _, o := range s.owedBy(user) {
		if o.until.IsZero() && !o.followed {
			all = append(all, models.Vacancy{Absence: o.absence, SocketID: o.departure.SocketID, Device: o.device})
		}
	}
	return all
}

// takeOwed says whether the socket is one of those, and followed from now on.
func (s *Service) takeOwed(socket models.SocketID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.owes[socket]
	if !ok || !o.until.IsZero() || o.followed {
		return false
	}
	o.followed = true
	s.owes[socket] = o
	return true
}

func (s *Service) isFollowed(socket models.SocketID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owes[socket].followed
}
