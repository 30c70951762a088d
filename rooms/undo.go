package rooms

import (
	"context"
	"maps"
	"time"

	"parley/models"
)

// unknown is for the number of other sockets where Redis has not said it.
const unknown = -1

// undo takes back what a Connect that failed has left, whatever became of its
// ctx, and says whether the socket is out of presence, where it was as here says.
// It has ended no absence:
// that is the last thing a Connect does. Of the others that were there when it
// came the last may have left meanwhile, and took the user for online.
func (s *Service) undo(ctx context.Context, user models.UserID, socket models.SocketID, here tried) (out bool) {
	ctx, cancel := s.afterwards(ctx)
	defer cancel()
	s.takeWelcome(socket) // of one that panicked behind that
	removed, left, err := s.Presence.Remove(ctx, user, socket, here.left)
	switch {
	case err != nil:
		// Presence remembers and tries again. Departed must not take it for one
		// that was let in: the absence goes on.
		s.Logger.Warn("socket not taken out of presence yet", "user", user, "socket", socket, "error", err)
		if here.others != unknown { // else Redis has not taken it in, and Departed is not called
			s.remember(socket, entrance{at: here.came, refused: true, left: here.left})
		}
	case removed && here.others != 0 && s.ours(ctx, user, left) == 0:
		s.lastLeft(ctx, user, socket, here.came, left)
	}
	return err == nil
}

// lastLeft does what the last of the user's that is ours did not, because it saw one that
// was about to be let in and then was not. It left after that one came; since
// when the user is away it has noted, unless that is forgotten by now.
func (s *Service) lastLeft(ctx context.Context, user models.UserID, socket models.SocketID, came time.Time, left int) {
	saved, known, err := s.Absences.Absence(ctx, user)
	if err != nil {
		s.Logger.Warn("departure not told", "user", user, "error", err)
		return
	}
	if !known || saved.Back.IsZero() {
		return // the others were not let in either: nobody was told that the user is online
	}
	absence, noted, err := s.Presence.Away(ctx, user)
	if err != nil || !noted || !absence.Back.IsZero() {
		// Nobody knows when they left. Better twice than never.
		absence = models.Absence{Since: saved.Back, Had: models.Had{Heard: saved.Back.Add(-models.Slack)}}
	}
	if err := s.Presence.MarkAway(ctx, user, socket, absence); err != nil {
		s.Logger.Warn("absence not noted", "user", user, "error", err)
	}
	s.left(ctx, models.Departure{UserID: user, SocketID: socket, At: came}, absence, true, left)
	if left == 0 {
		s.gone(ctx, user, came)
	}
}

// againFor is how long a late word of an earlier try may take; presence gives it
// as soon as Redis is back.
const againFor = time.Minute

// comesAgain is for a socket that was not let in, perhaps is still in presence,
// and is tried again: that it was taken out late is no departure any more.
func (s *Service) comesAgain(socket models.SocketID) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.welcomes, socket)
	maps.DeleteFunc(s.again, func(_ models.SocketID, at time.Time) bool { return now.Sub(at) > againFor })
	s.again[socket] = now
}

// takeRefused forgets a socket that was not let in and could not be taken out of
// presence; refused is false where it is none of those. again says that it has
// been tried again since.
func (s *Service) takeRefused(socket models.SocketID) (w entrance, refused, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w = s.welcomes[socket]
	if w.refused {
		delete(s.welcomes, socket)
	}
	_, again = s.again[socket]
	delete(s.again, socket)
	return w, w.refused, again
}
