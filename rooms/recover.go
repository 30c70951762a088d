package rooms

import (
	"context"
	"slices"
	"time"

	"parley/models"
)

// reorder is how far apart in time two messages may be that reached a socket in
// the other order. It matters only where nobody is left who knows.
const reorder = 250 * time.Millisecond

// returned is a client that came back to its session.
type returned struct {
	// had is what the client had: everything from long enough before had.Since,
	// and had.Seen.
	had models.Absence
	// exact says that this is known, not concluded from the message alone.
	exact   bool
	session models.Session
}

// comeBack finds out what the client of a returning socket has. A client names
// its session and the last message it read; the pod that had its last socket
// knows what else that one was sent before. ok is false where nothing can be
// said: then the user's absence counts, as for a client that just began.
func (s *Service) comeBack(ctx context.Context, user models.UserID, door Door, others int, taken models.Session) (r returned, ok bool, err error) {
	id, offset, ok := door.Resumes()
	if !ok || s.Limits.Recovery == 0 {
		return r, false, nil
	}
	session, found, err := s.session(ctx, user, id, door, others, taken)
	if err != nil {
		r.session = session
		return r, false, err
	}
	if found && session.UserID != user {
		s.keepSession(ctx, id, session) // it waits for its own user
		return r, false, nil
	}
	r.session = session
	last := models.Message{}
	message, given := models.ParseMessageID(offset)
	if given {
		if r.had, r.exact = upTo(session, message); r.exact {
			return r, true, nil
		}
		// Whose message it is does not matter: it only says since when.
		if last, _, err = s.Messages.Message(ctx, message); err != nil {
			return r, false, err
		}
	}
	switch {
	case found && (offset == "" || last.ID != "" && !last.CreatedAt.After(session.Before.Since)):
		// Of what that socket was sent nothing was read.
		r.had, r.exact = session.Before, true
	case last.ID != "":
		r.had = models.Absence{Since: last.CreatedAt.Add(Slack - reorder), Seen: []models.MessageID{last.ID}}
	case offset == "":
		r.had = models.Absence{Since: id.Began().Add(Slack)}
	case found && len(session.Sent) > session.Unread:
		// Somebody else's event ended in a text, which stock clients take for an
		// offset. All that can have reached it counts as read.
		r.had, _ = upTo(session, session.Sent[len(session.Sent)-session.Unread-1].ID)
	case found:
		r.had = session.Before
	default:
		return r, false, nil
	}
	return r, true, nil
}

// session returns what is remembered of the session. Its last socket may still
// be there, on any pod: connections break without a word. It is told to go, and
// leaves word when it does. taken is what an earlier try found.
func (s *Service) session(ctx context.Context, user models.UserID, id models.SessionID, door Door, others int, taken models.Session) (session models.Session, found bool, err error) {
	session, found, err = s.Sessions.TakeSession(ctx, id)
	if taken.UserID == "" {
		taken = s.owedSession(user, id)
	}
	switch {
	case err != nil:
		return taken, false, err
	case !found && taken.UserID != "":
		return taken, true, nil
	case found || others == 0:
		return session, found, nil
	}
	s.Hub.Part(id, door.SocketID())
	err = door.Aside(ctx, func() (err error) {
		session, found, err = s.Sessions.AwaitSession(ctx, id, s.Limits.RecoveryPatience)
		return err
	})
	return session, found, err
}

// upTo is what a client had that read the message last; ok is false where the
// session does not tell.
func upTo(session models.Session, message models.MessageID) (models.Absence, bool) {
	at := slices.IndexFunc(session.Sent, func(d models.Delivery) bool { return d.ID == message })
	if at < 0 {
		return models.Absence{}, false
	}
	last := session.Sent[at].At
	from := last.Add(-Slack)
	if at >= session.Backlog && from.Before(session.From) {
		// What was sent just before is not known any more, but probably read.
		from = earlier(session.From, last.Add(-reorder))
	}
	if before := session.Before.Since.Add(-Slack); from.Before(before) {
		from = before
	}
	had := models.Absence{Since: from.Add(Slack)}
	for _, d := range session.Sent[:at+1] {
		if !d.At.Before(from) {
			had.Seen = append(had.Seen, d.ID)
		}
	}
	if session.Before.Since.After(from) {
		had.Seen = append(had.Seen, session.Before.Seen...)
	}
	return had, true
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// word is what is known of a socket that leaves, for its client; its UserID is
// empty where nothing is.
func (s *Service) word(d models.Departure) models.Session {
	s.mu.Lock()
	w, ok := s.welcomes[d.SocketID]
	s.mu.Unlock()
	if !ok {
		return models.Session{}
	}
	return models.Session{
		UserID: d.UserID, Over: d.Deliberate, Before: w.absence, Sent: d.Sent, Backlog: d.Backlog, From: d.SentFrom, Unread: d.Unread,
	}
}

// keepSession says whether it is kept, or need not be.
func (s *Service) keepSession(ctx context.Context, id models.SessionID, session models.Session) bool {
	if s.Limits.Recovery == 0 {
		return true
	}
	err := s.Sessions.KeepSession(ctx, id, session, s.Limits.Recovery)
	if err != nil {
		s.Logger.Warn("session not kept", "user", session.UserID, "error", err)
	}
	return err == nil
}
