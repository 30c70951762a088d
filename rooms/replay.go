package rooms

import (
	"context"
	"slices"
	"time"

	"parley/models"
)

// besideLimit bounds how many messages of just now a further device is told apart.
const besideLimit = 1000

// entrance is what a socket was let in with.
type entrance struct {
	at time.Time
	// absence goes on if the socket turns out never to have heard anything; it has
	// what its client had when it came.
	absence models.Absence
	device  models.Device
	// follows is true where that is what another had that had left: nobody else has it.
	follows bool
	// from is when the socket left that it comes in the place of.
	from time.Time
	// refused is one that was not let in, but is still in presence; at is when it
	// came, left as in tried, and the rest is empty.
	refused bool
	left    time.Time
}

// welcome returns what the socket's client missed, oldest first, and notes that
// the user is back. whole is false where more was missed than is sent again.
//
// Where it is known what the client had, that decides. Otherwise only a user who
// had no socket of ours missed anything; but devices that come together cannot
// all be first, so those close behind the first share its absence. Sockets that
// are not ours say nothing: what is noted is what ours had.
//
// What cannot be noted here is only sent again, or looked up, later: it is no
// reason to refuse anybody.
func (s *Service) welcome(ctx context.Context, user models.UserID, door Door, chats []models.ChatID, arrival models.Arrival, came time.Time, had *models.Had, follows *models.Vacancy) (missed []models.Message, whole bool, err error) {
	others, socket := arrival.Ours, door.SocketID()
	absence, known, err := s.endedBy(ctx, user, arrival, came)
	if err != nil {
		return nil, false, err
	}
	now := s.now()
	if had == nil && others > 0 && !absence.Back.IsZero() && now.Sub(absence.Back) > s.Limits.ReplayGrace {
		return nil, true, s.welcomeBeside(ctx, user, door, chats, now)
	}
	switch {
	case !known:
		// Never seen: nothing from before Parley was there is theirs to miss. A
		// migration must not send every client its old messages again.
		if absence.Since, err = s.Absences.Installed(ctx); err != nil {
			return nil, false, err
		}
		absence.Since = later(absence.Since, s.served(user, arrival.Others))
		absence.Heard = absence.Since
	case others == 0 && !absence.Back.IsZero():
		// They came back then, and nobody lived to note when they left again: their
		// pod is one of those that have died since.
		heard := absence.Back.Add(-models.Slack)
		if silent, known := s.Marks.HeardBySilent(absence.Back); known {
			heard = silent.Add(-s.Limits.Unheard)
		}
		absence = models.Absence{Had: absence.And(models.Had{Heard: heard}, absence.Back), Since: absence.Back}
	}
	before := absence.Had
	if had != nil {
		before = *had
	}
	missed, whole, err = s.missed(ctx, user, chats, before)
	if err != nil {
		return nil, false, err
	}
	var left models.Absence
	if had == nil && others > 0 && !absence.Back.IsZero() && len(missed) > 0 {
		// It shares what the first was sent, unless it is known whom it follows.
		found := false
		if left, found, err = s.parting(ctx, user, door); err != nil {
			return nil, false, err
		}
		if !found {
			*follows, found = s.follows(ctx, user, door, absence.Since, false, came)
			left = follows.Absence
		}
		if found {
			before = left.Had
			if missed, whole, err = s.missed(ctx, user, chats, before); err != nil {
				return nil, false, err
			}
		}
	}
	door.Has(before)
	s.remember(socket, entrance{at: now, absence: models.Absence{Had: before, Since: absence.Since}, from: from(absence, left), device: door.Device(), follows: follows.SocketID != ""})
	if others > 0 {
		if known && absence.Back.IsZero() && now.Sub(absence.Since) > s.Limits.ReplayGrace {
			// Nobody forgot that note; let those that come later not find it.
			absence.Back = now
			s.noteReturn(ctx, user, absence)
		}
		return missed, whole, nil
	}
	absence.Back = now
	if err := s.Absences.SaveAbsence(ctx, user, absence); err != nil {
		s.Logger.Warn("return not saved", "user", user, "error", err)
		s.Metrics.Dropped("return_not_saved")
	}
	s.noteReturn(ctx, user, absence)
	return missed, whole, nil
}

func from(absence, left models.Absence) time.Time {
	if left.Since.IsZero() {
		return absence.Since
	}
	return left.Since
}

func (s *Service) noteReturn(ctx context.Context, user models.UserID, absence models.Absence) {
	if err := s.Presence.MarkBack(ctx, user, absence, s.Limits.ReplayGrace); err != nil {
		s.Logger.Warn("return not noted", "user", user, "error", err)
		s.Metrics.Dropped("return_not_noted")
	}
}

// served is until when pods that keep no books, Node's, have served a user who
// comes from them; zero where that is not known. While others count as online
// it is not: they may be what a pod that died has left behind.
func (s *Service) served(user models.UserID, others int) time.Time {
	at, ok := s.Census.LastOnline(user)
	if !ok || others > 0 {
		return time.Time{}
	}
	return at.Add(-s.Limits.Unheard)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// welcomeBeside lets in a further device. It missed nothing: what it has is what
// the others had by now.
func (s *Service) welcomeBeside(ctx context.Context, user models.UserID, door Door, chats []models.ChatID, now time.Time) error {
	had := models.Had{Heard: s.heardBy(now)}
	if s.Limits.Replay > 0 && len(chats) > 0 {
		messages, err := s.theirs(ctx, user, chats, had.Heard, besideLimit)
		if err != nil {
			return err
		}
		had.Seen = idsOf(messages)
	}
	door.Has(had)
	s.remember(door.SocketID(), entrance{at: now, absence: models.Absence{Had: had, Since: now}, device: door.Device()})
	return nil
}

// heardBy is a time such that all that was stamped before is given to this pod's
// sockets by now.
func (s *Service) heardBy(now time.Time) time.Time {
	if heard := s.Marks.Heard(); !heard.IsZero() {
		return heard
	}
	return now.Add(-models.Slack)
}

func idsOf(messages []models.Message) []models.MessageID {
	ids := make([]models.MessageID, len(messages))
	for i, m := range messages {
		ids[i] = m.ID
	}
	return ids
}

func (s *Service) remember(socket models.SocketID, w entrance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.welcomes[socket] = w
}

// endedBy returns the absence from which the socket that arrived comes back.
func (s *Service) endedBy(ctx context.Context, user models.UserID, arrival models.Arrival, came time.Time) (models.Absence, bool, error) {
	switch {
	case arrival.Ours > 0:
		// A socket that was about to leave has noted since when its user is away,
		// or does so only now; its pod forgets that soon after it sees this one,
		// which nevertheless may be all the user has.
		absence, found, err := s.Presence.Away(ctx, user)
		if err != nil || found {
			return absence, found, err
		}
		if arrival.Noted && arrival.Absence.Back.IsZero() {
			return arrival.Absence, true, nil
		}
	case arrival.Noted && arrival.Absence.Back.IsZero():
		// Who came behind it may have been quicker, and even be gone again: what
		// was noted when this one came is what counts.
		return arrival.Absence, true, nil
	default:
		// The last one is out of the set, but whoever took it out, for a pod that
		// died, notes that only now.
		absence, found, err := s.Presence.Away(ctx, user)
		if err != nil || found && absence.Back.IsZero() && !absence.Since.After(came) {
			return absence, found, err
		}
		if arrival.Noted {
			return arrival.Absence, true, nil
		}
	}
	return s.Absences.Absence(ctx, user)
}

// absence asks Redis first, which is quick and sees every pod's last word, then
// the database, which forgets nothing.
func (s *Service) absence(ctx context.Context, user models.UserID) (models.Absence, bool, error) {
	absence, found, err := s.Presence.Away(ctx, user)
	if err != nil || found {
		return absence, found, err
	}
	return s.Absences.Absence(ctx, user)
}

// missed is what a device that has had that much is to be sent, oldest first; whole
// is false where that is not all.
func (s *Service) missed(ctx context.Context, user models.UserID, chats []models.ChatID, had models.Had) (missed []models.Message, whole bool, err error) {
	if s.Limits.Replay == 0 || len(chats) == 0 {
		return nil, s.Limits.Replay > 0, nil
	}
	messages, err := s.theirs(ctx, user, chats, had.Heard, s.Limits.Replay+len(had.Seen)+1)
	if err != nil {
		return nil, false, err
	}
	messages = slices.DeleteFunc(messages, func(m models.Message) bool { return !had.Misses(m) })
	if over := len(messages) - s.Limits.Replay; over > 0 {
		return messages[over:], false, nil // the newest; history has the rest
	}
	return messages, true, nil
}
