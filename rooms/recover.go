package rooms

import (
	"context"
	"slices"

	"parley/models"
)

// returned is a client that came back to its session.
type returned struct {
	had models.Had
	// exact says that this is all the client had, not only what is sure.
	exact   bool
	session models.Session
}

// comeBack finds out what the client of a returning socket has. It names its
// session and, by its offset, the last message it read and up to when it has all;
// the pod that had its last socket knows what else that one was sent before. ok is
// false where nothing can be said: then the user's absence counts, as for a client
// that just began.
func (s *Service) comeBack(ctx context.Context, user models.UserID, door Door, others int, taken models.Session) (r returned, ok bool, err error) {
	id, text, ok := door.Resumes()
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
	offset, ours, err := s.offset(ctx, text)
	if err != nil {
		return r, false, err
	}
	switch {
	case ours:
		offset.Heard = later(offset.Heard, id.Began())
		r.had, r.exact = upTo(session, offset)
	case found && text == "": // of what that socket was sent nothing was read
		r.had, r.exact = session.Before, true
	case text == "":
		r.had = models.Had{Heard: id.Began()}
	case found:
		// Somebody else's event ended in a text, which stock clients take for an
		// offset. All that can have reached it counts as read.
		r.had = session.Before
		if n := len(session.Sent) - session.Unread; n > 0 {
			r.had, _ = upTo(session, models.Offset{ID: session.Sent[n-1].ID, Heard: session.Before.Heard})
		}
	default:
		return r, false, nil
	}
	return r, true, nil
}

// offset reads what a client says; ours is false where it is somebody else's text.
func (s *Service) offset(ctx context.Context, text string) (o models.Offset, ours bool, err error) {
	o, ours = models.ParseOffset(text, s.now())
	if !ours || !o.Heard.IsZero() {
		return o, ours, nil
	}
	// One of an older version. Whose message it is does not matter: it only says
	// since when.
	m, found, err := s.Messages.Message(ctx, o.ID)
	o.Heard = m.CreatedAt.Add(-models.Slack)
	return o, found, err
}

// session returns what is remembered of the session. Its last socket may still
// be there, on any pod: connections break without a word. It is told to go, and
// leaves word when it does. taken is what an earlier try found.
func (s *Service) session(ctx context.Context, user models.UserID, id models.SessionID, door Door, others int, taken models.Session) (session models.Session, found bool, err error) {
	session, found, err = s.Sessions.TakeSession(ctx, id)
	switch {
	case err != nil:
		return taken, false, err
	case !found && taken.UserID != "":
		return taken, true, nil
	case !found && others > 0 && !s.deserted(ctx, user, others): // somebody is there who may leave one
		s.Hub.Part(id, door.SocketID())
		err = door.Aside(ctx, func() (err error) {
			session, found, err = s.Sessions.AwaitSession(ctx, id, s.Limits.RecoveryPatience)
			return err
		})
	}
	if err == nil && !found {
		session, found, err = s.Saved.SavedSession(ctx, id)
	}
	return session, found, err
}

// upTo is what a client has had that read the offset last: what was heard before
// it, and what the session says it was sent until then. exact is false where more
// may have been sent.
func upTo(session models.Session, offset models.Offset) (had models.Had, exact bool) {
	last := slices.IndexFunc(session.Sent, func(d models.Delivery) bool { return d.ID == offset.ID })
	if last < 0 && session.UserID != "" && session.From.IsZero() && !offset.Heard.After(session.Came) {
		return session.Before, true // it read nothing of what that socket was sent
	}
	sent := models.Had{Heard: offset.Heard}
	since := offset.Heard.Add(-models.ClocksDiffer)
	for i, d := range session.Sent[:max(0, last)] {
		if !d.At.Before(since) || i < session.Backlog {
			sent.Seen = append(sent.Seen, d.ID)
		}
	}
	sent.Seen = append(sent.Seen, offset.ID)
	return session.Before.And(sent, session.Came), last >= 0 && !session.From.After(offset.Heard)
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
		UserID: d.UserID, Over: d.Deliberate, Before: w.absence.Had, Came: w.at, Sent: d.Sent, Backlog: d.Backlog, From: d.SentFrom, Unread: d.Unread,
	}
}

// keepSession keeps it in Redis, or where that is away in the database: the pod may
// not be there any more when it is back.
func (s *Service) keepSession(ctx context.Context, id models.SessionID, session models.Session) {
	if s.Limits.Recovery == 0 {
		return
	}
	err := s.Sessions.KeepSession(ctx, id, session, s.Limits.Recovery)
	if err != nil {
		err = s.Saved.SaveSession(ctx, id, session, s.Limits.Recovery)
	}
	if err != nil {
		s.Logger.Warn("session not kept", "user", session.UserID, "error", err)
		s.Metrics.Dropped("session_not_kept")
	}
}
