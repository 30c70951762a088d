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
	if !o.came.IsZero() {
		v.Session = d.Session
	}
	if err := s.Presence.Vacate(ctx, d.UserID, v, s.Limits.Recovery); err != nil {
		s.Logger.Warn("what a socket had is not kept for who follows it", "user", d.UserID, "error", err)
		s.Metrics.Dropped("vacancy_not_kept")
	}
}

// follows is what the client has that one had that left before it came, if it can be
// the same; nobody else takes it then. Where it is known already whom it follows, that
// stays; nobody else comes in the place of who left at from. While Redis is away it waits.
func (s *Service) follows(ctx context.Context, user models.UserID, door Door, from time.Time, known bool, came time.Time) (v models.Vacancy, found bool) {
	if s.Limits.Recovery == 0 {
		return v, false
	}
	again, over := time.NewTicker(markEvery), time.After(missedWithin)
	defer again.Stop()
	for looks, warned := 0, false; ; {
		v, found, err := s.followsOne(ctx, user, door, from, known, came)
		switch {
		case err == nil:
			looks++
		case !warned:
			warned = true
			s.Logger.Warn("not known yet whom a socket follows", "user", user, "error", err)
		}
		if found || known || looks > lateLooks || looks > 0 && !s.deafLately(came) && !s.deafLately(s.now()) {
			return v, found
		}
		select {
		case <-again.C:
		case <-over:
			s.Metrics.Dropped("vacancies_unknown")
			return v, false
		case <-ctx.Done():
			return v, false
		}
	}
}

// lateLooks is how often it is looked again whom one follows that comes when Redis is
// just back: of who left meanwhile it is noted only then.
const lateLooks = 6

// deafLately says whether this pod had not heard the others for a while shortly before.
func (s *Service) deafLately(at time.Time) bool {
	for _, ago := range []time.Duration{0, suspectAfter / 2, suspectAfter} {
		then := at.Add(-ago)
		if heard := s.Marks.HeardAt(then); !heard.IsZero() && then.Sub(heard) > deafAfter {
			return true
		}
	}
	return false
}

// deafAfter is how far behind a pod that hears all may be at most, by and large.
const deafAfter = 2 * time.Second

func (s *Service) followsOne(ctx context.Context, user models.UserID, door Door, from time.Time, known bool, came time.Time) (v models.Vacancy, found bool, err error) {
	all, err := s.Presence.Vacancies(ctx, user, s.Limits.Recovery)
	all = append(all, s.owedVacancies(user)...)
	all = slices.DeleteFunc(all, func(v models.Vacancy) bool { return v.Since.After(came.Add(time.Second)) })
	if same := slices.IndexFunc(all, func(v models.Vacancy) bool { return v.Since.Equal(from) }); same >= 0 {
		s.take(ctx, user, all[same].SocketID)
		return v, false, err
	}
	for !known && len(all) > 0 {
		had, socket, ok := models.Followed(all, door.Device())
		if !ok {
			break
		}
		if s.take(ctx, user, socket) {
			return models.Vacancy{Absence: had, SocketID: socket, Device: door.Device()}, true, nil
		}
		all = slices.DeleteFunc(all, func(v models.Vacancy) bool { return v.SocketID == socket })
	}
	return v, false, err
}

// givesBack is for who follows another and is not let in.
func (s *Service) givesBack(ctx context.Context, user models.UserID, v models.Vacancy) {
	if v.SocketID == "" {
		return
	}
	if err := s.Presence.Vacate(ctx, user, v, s.Limits.Recovery); err != nil {
		s.Logger.Warn("what a socket had is not kept any more", "user", user, "error", err)
		s.Metrics.Dropped("vacancy_not_kept")
	}
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
