package rooms

import (
	"context"
	"slices"
	"time"

	"parley/models"
)

// Slack is how long a message may take from its time stamp to the sockets. What
// is this much older than the beginning of an absence may have been missed too,
// and an Absence's Seen says what of it was not.
const Slack = 10 * time.Second

// recentLimit bounds how many messages of the last Slack are told apart.
const recentLimit = 1000

// welcomed is what a socket was let in with.
type welcomed struct {
	at time.Time
	// absence goes on if the socket turns out never to have heard anything.
	absence models.Absence
	// known are the messages from shortly before at that the user need not be
	// sent again: seen by an earlier socket or another device, or in the backlog.
	known []models.MessageID
}

// welcome returns what the socket's client missed, oldest first, and notes that
// the user is back. whole is false where more was missed than is sent again.
//
// Where it is known what the client had, that decides. Otherwise only a user who
// had no socket missed anything; but devices that come together cannot all be
// first, so those close behind the first share its absence.
func (s *Service) welcome(ctx context.Context, user models.UserID, socket models.SocketID, chats []models.ChatID, others int, had *models.Absence) (missed []models.Message, whole bool, err error) {
	absence, known, err := s.absence(ctx, user)
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
		absence.Since = since
	}
	before := models.Absence{Since: absence.Since, Seen: absence.Seen}
	if had != nil {
		before, since = *had, had.Since.Add(-Slack)
	}
	missed, whole, err = s.missed(ctx, chats, since, before.Seen)
	if err != nil {
		return nil, false, err
	}
	s.remember(socket, welcomed{at: now, absence: before, known: append(slices.Clone(before.Seen), recent(missed, now)...)})
	if others > 0 {
		return missed, whole, nil
	}
	absence.Back = now
	if err := s.Absences.SaveAbsence(ctx, user, absence); err != nil {
		return nil, false, err
	}
	return missed, whole, s.Presence.MarkBack(ctx, user, absence, s.Limits.ReplayGrace)
}

// welcomeBeside lets in a further device. It missed nothing, but should it be
// the last to leave, soon, it must be known what the others had by now.
func (s *Service) welcomeBeside(ctx context.Context, socket models.SocketID, chats []models.ChatID, now time.Time) error {
	w := welcomed{at: now, absence: models.Absence{Since: now}}
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

func (s *Service) remember(socket models.SocketID, w welcomed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.welcomes[socket] = w
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

func (s *Service) missed(ctx context.Context, chats []models.ChatID, since time.Time, seen []models.MessageID) (missed []models.Message, whole bool, err error) {
	if s.Limits.Replay == 0 || len(chats) == 0 {
		return nil, s.Limits.Replay > 0, nil
	}
	messages, err := s.Messages.Since(ctx, chats, since, s.Limits.Replay+len(seen)+1)
	if err != nil {
		return nil, false, err
	}
	messages = slices.DeleteFunc(messages, func(m models.Message) bool { return slices.Contains(seen, m.ID) })
	if over := len(messages) - s.Limits.Replay; over > 0 {
		return messages[over:], false, nil // the newest; history has the rest
	}
	return messages, true, nil
}
