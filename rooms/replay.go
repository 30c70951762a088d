package rooms

import (
	"context"
	"slices"
	"time"

	"parley/models"
)

// Slack is how much older than the beginning of an absence may have been missed
// too; an Absence's Seen says what of it was not.
const Slack = models.Slack

// recentLimit bounds how many messages of the last Slack are told apart.
const recentLimit = 1000

// seenLimit bounds how many of a departure are remembered.
const seenLimit = models.MaxSeen

// entrance is what a socket was let in with.
type entrance struct {
	at time.Time
	// absence goes on if the socket turns out never to have heard anything.
	absence models.Absence
	// refused is one that was not let in, but is still in presence; at is when it
	// came, left as in tried, and the rest is empty.
	refused bool
	left    time.Time
	// known are the messages from shortly before at that the user need not be
	// sent again: seen by an earlier socket or another device, or in the backlog.
	known []models.MessageID
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
func (s *Service) welcome(ctx context.Context, user models.UserID, door Door, chats []models.ChatID, arrival models.Arrival, came time.Time, had *models.Absence) (missed []models.Message, whole bool, err error) {
	others, socket := arrival.Ours, door.SocketID()
	absence, known, err := s.endedBy(ctx, user, arrival, came)
	if err != nil {
		return nil, false, err
	}
	now := s.now()
	if had == nil && others > 0 && !absence.Back.IsZero() && now.Sub(absence.Back) > s.Limits.ReplayGrace {
		return nil, true, s.welcomeBeside(ctx, socket, chats, now)
	}
	if others == 0 && !absence.Back.IsZero() {
		// They came back then, and nobody lived to note when they left again.
		absence = models.Absence{Since: absence.Back}
	}
	since := absence.Since.Add(-Slack)
	if !known {
		// Never seen: nothing from before Parley was there is theirs to miss. A
		// migration must not send every client its old messages again.
		if since, err = s.Absences.Installed(ctx); err != nil {
			return nil, false, err
		}
		since = later(since, s.served(user, arrival.Others))
		absence.Since = since
	}
	before := models.Absence{Since: absence.Since, Seen: absence.Seen}
	if had != nil {
		before, since = *had, had.Since.Add(-Slack)
	}
	missed, whole, err = s.missed(ctx, user, chats, since, before.Seen)
	if err != nil {
		return nil, false, err
	}
	if had == nil && others > 0 && !absence.Back.IsZero() && len(missed) > 0 {
		if left, found, err := s.parting(ctx, user, door); err != nil {
			return nil, false, err
		} else if found {
			before, since = left, left.Since.Add(-Slack)
			if missed, whole, err = s.missed(ctx, user, chats, since, left.Seen); err != nil {
				return nil, false, err
			}
		}
	}
	door.Has(since, before.Seen)
	s.remember(socket, entrance{at: now, absence: before, known: append(slices.Clone(before.Seen), recent(missed, now)...)})
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

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// welcomeBeside lets in a further device. It missed nothing, but should it be
// the last to leave, soon, it must be known what the others had by now.
func (s *Service) welcomeBeside(ctx context.Context, socket models.SocketID, chats []models.ChatID, now time.Time) error {
	w := entrance{at: now, absence: models.Absence{Since: now}}
	if s.Limits.Replay > 0 && len(chats) > 0 {
		messages, err := s.Messages.Since(ctx, chats, now.Add(-Slack), recentLimit)
		if err != nil {
			return err
		}
		w.known = recent(messages, now)
		w.absence.Seen = w.known
	}
	s.remember(socket, w)
	return nil
}

// recent returns the ids of those not older than Slack.
func recent(messages []models.Message, now time.Time) []models.MessageID {
	var ids []models.MessageID
	for _, m := range messages {
		if !m.CreatedAt.Before(now.Add(-Slack)) {
			ids = append(ids, m.ID)
		}
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

func (s *Service) missed(ctx context.Context, user models.UserID, chats []models.ChatID, since time.Time, seen []models.MessageID) (missed []models.Message, whole bool, err error) {
	if s.Limits.Replay == 0 || len(chats) == 0 {
		return nil, s.Limits.Replay > 0, nil
	}
	messages, err := s.theirs(ctx, user, chats, since, s.Limits.Replay+len(seen)+1)
	if err != nil {
		return nil, false, err
	}
	messages = slices.DeleteFunc(messages, func(m models.Message) bool { return slices.Contains(seen, m.ID) })
	if over := len(messages) - s.Limits.Replay; over > 0 {
		return messages[over:], false, nil // the newest; history has the rest
	}
	return messages, true, nil
}
