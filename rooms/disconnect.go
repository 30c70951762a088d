package rooms

import (
	"context"

	"parley/models"
)

// Disconnect takes a socket out of presence, which has those who share a chat told
// if it was the user's last and they stay away. It may be called more than once for a socket.
func (s *Service) Disconnect(ctx context.Context, d models.Departure) {
	ctx, cancel := s.afterwards(ctx)
	defer cancel()
	s.leaves(d.SocketID)
	word := s.word(d)
	w := s.entrance(d.SocketID)
	absence := s.ended(ctx, d)
	note := true
	if d.Unserved && !w.follows {
		absence, note = s.unserved(ctx, d.UserID, absence)
	}
	o := owed{departure: d, absence: absence, came: w.at, device: w.device}
	// The note goes first: whoever connects the moment the set is empty must
	// find since when it is.
	// Where none is, whom it came beside has noted more, or will.
	noted := !note || s.noteAway(ctx, d, absence)
	if !noted {
		s.owe(o)
	}
	// And its client, the moment the socket does not count any more, its word.
	if d.Session != "" && word.UserID != "" {
		s.keepSession(ctx, d.Session, word)
	}
	removed, left, err := s.Presence.Remove(ctx, d.UserID, d.SocketID, later(d.At, w.at)) // nobody leaves before they came
	if err != nil {
		// Presence remembers and tries again; Departed is called then.
		s.Logger.Warn("socket not taken out of presence yet", "user", d.UserID, "socket", d.SocketID, "error", err)
		s.owe(o)
		// Redis may come back with nothing, and this pod may not be there then.
		if note {
			s.saveUnlessBack(ctx, o)
		}
		return
	}
	if !noted { // Redis is back: who has just come elsewhere finds it there alone
		s.noteAway(ctx, d, absence)
	}
	if s.left(ctx, d, absence, removed, left) && note {
		s.vacate(ctx, o)
	}
	s.paid(d.SocketID)
}

// noteAway says whether it is noted.
func (s *Service) noteAway(ctx context.Context, d models.Departure, absence models.Absence) bool {
	err := s.Presence.MarkAway(ctx, d.UserID, d.SocketID, absence)
	if err != nil {
		s.Logger.Warn("absence not noted", "user", d.UserID, "error", err)
	}
	return err == nil
}

// Departed is Disconnect for a socket that presence has already let go: its pod
// died, or Redis was away when it left.
func (s *Service) Departed(ctx context.Context, d models.Departure, left int) {
	ctx, cancel := s.afterwards(ctx)
	defer cancel()
	switch w, refused, again := s.takeRefused(d.SocketID); {
	case refused && left == 0 && !w.left.IsZero(): // it had not come, and they are still gone
		s.gone(ctx, d.UserID, w.left)
		return
	case refused:
		if s.ours(ctx, d.UserID, left) == 0 {
			s.lastLeft(ctx, d.UserID, d.SocketID, w.at, left)
		}
		return
	case again:
		return
	}
	o := owed{departure: d, absence: s.ended(ctx, d)}
	known, early := s.paid(d.SocketID)
	if early {
		o = known
	}
	d, absence := o.departure, o.absence
	s.noteAway(ctx, d, absence)
	if left > 0 { // who follows it may be there already, and does not count it any more
		s.vacate(ctx, o)
		if early { // the absence is saved already
			s.stays(ctx, d.UserID)
		}
	}
	s.left(ctx, d, absence, true, left)
	if left == 0 {
		s.gone(ctx, d.UserID, d.At)
	}
}

// Restored is for a live socket that presence had lost, because Redis lost its
// data or because its pod was taken for dead, and has put back.
func (s *Service) Restored(ctx context.Context, user models.UserID, socket models.SocketID, others int) {
	if err := s.Presence.ForgetAway(ctx, user, socket, 0); err != nil {
		s.Logger.Warn("absence not forgotten", "user", user, "error", err)
	}
	if others > 0 && s.ours(ctx, user, others+1) > 1 {
		return
	}
	wasAway := s.stays(ctx, user)
	if others > 0 || !wasAway { // then nobody was told that they are gone
		return
	}
	s.online(user)
}

// stays notes that the user is there where the database says they are away; wasAway
// is true where it may have.
func (s *Service) stays(ctx context.Context, user models.UserID) (wasAway bool) {
	absence, known, err := s.Absences.Absence(ctx, user)
	wasAway = err != nil || known && absence.Back.IsZero()
	if err == nil && wasAway {
		absence.Back = s.now()
		err = s.Absences.SaveAbsence(ctx, user, absence)
	}
	if err != nil {
		s.Logger.Warn("return not saved", "user", user, "error", err)
	}
	return wasAway
}

// ended is the absence that begins with the departure: what its client had when it
// came and what it was sent since. A socket that heard nothing since it was
// welcomed has ended no absence: its user is away since before.
func (s *Service) ended(ctx context.Context, d models.Departure) models.Absence {
	w, ok := s.takeWelcome(d.SocketID)
	switch {
	case ok && (!d.Welcomed || !d.At.After(w.at)):
		return models.Absence{Had: w.absence.And(d.Had, w.at), Since: w.absence.Since}
	case ok:
		return models.Absence{Had: w.absence.And(d.Had, w.at), Since: d.At}
	case !d.Heard.IsZero(): // it is told of again
		return models.Absence{Had: d.Had, Since: d.At}
	}
	mark, known := s.Marks.MarkOf(d.Pod)
	if !known {
		mark.Heard = d.At.Add(-models.Slack)
	}
	return models.Absence{Had: s.hadByDead(ctx, d.UserID, mark), Since: d.At}
}

func (s *Service) takeWelcome(socket models.SocketID) (entrance, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.welcomes[socket]
	delete(s.welcomes, socket)
	return w, ok
}

// leaves says that from now on it is a departure when the socket is taken out.
func (s *Service) leaves(socket models.SocketID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.again, socket)
}

// ours says how many of the user's sockets that are left are Parley's. Where
// that cannot be found out it is none: an absence noted too much is ended by
// whoever comes next, and what is not noted is sent again.
func (s *Service) ours(ctx context.Context, user models.UserID, left int) int {
	if left == 0 {
		return 0
	}
	n, err := s.Presence.Ours(ctx, user)
	if err != nil {
		s.Logger.Warn("not known who else the user's sockets belong to", "user", user, "error", err)
		s.Metrics.Dropped("others_unknown")
		return 0
	}
	return n
}

// left says whether others of the user stay.
func (s *Service) left(ctx context.Context, d models.Departure, absence models.Absence, removed bool, left int) (others bool) {
	if s.living(ctx, d.UserID, left) > 0 {
		// Not at once: who is left may be the page that was loaded again, and is
		// just being let in.
		if err := s.Presence.ForgetAway(ctx, d.UserID, d.SocketID, s.Limits.ReloadPatience); err != nil {
			s.Logger.Warn("absence not forgotten", "user", d.UserID, "error", err)
		}
		return true
	}
	if !removed {
		return false // somebody else took it out and told the others
	}
	s.saveAbsence(ctx, d.UserID, absence)
	return false
}

// saveUnlessBack saves the absence of one that may have others beside it, unless
// somebody has come since it did. One saved too much is ended once Redis is back.
func (s *Service) saveUnlessBack(ctx context.Context, o owed) {
	saved, known, err := s.Absences.Absence(ctx, o.departure.UserID)
	if err == nil && known && saved.Back.After(later(o.departure.At, o.came)) {
		return
	}
	s.saveAbsence(ctx, o.departure.UserID, o.absence)
}

func (s *Service) saveAbsence(ctx context.Context, user models.UserID, absence models.Absence) {
	if err := s.Absences.SaveAbsence(ctx, user, absence); err != nil {
		s.Logger.Warn("absence not saved", "user", user, "error", err)
		s.Metrics.Dropped("absence_not_saved")
	}
}

// StrangerGone is for a socket of another's, such as a Node pod that died, that
// presence has taken out because nobody has it. Of what it had nothing is known;
// an absence that Parley has noted goes on.
func (s *Service) StrangerGone(ctx context.Context, gone models.Stranger, left int) {
	if left > 0 {
		return
	}
	absence, known, err := s.absence(ctx, gone.UserID)
	if err == nil && !known {
		// From here on the census must not be believed: it counted this one too.
		absence.Since, err = s.Absences.Installed(ctx)
		if !gone.Answered.IsZero() {
			absence.Since = later(absence.Since, gone.Answered.Add(-s.Limits.Unheard))
		}
		absence.Heard = absence.Since
		if err == nil {
			err = s.Absences.SaveAbsence(ctx, gone.UserID, absence)
		}
	}
	if err != nil {
		s.Logger.Warn("absence not saved", "user", gone.UserID, "error", err)
		s.Metrics.Dropped("absence_not_saved")
	}
	s.gone(ctx, gone.UserID, later(later(absence.Since, absence.Back), gone.Answered))
}
