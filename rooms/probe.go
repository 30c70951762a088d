package rooms

import (
	"context"
	"slices"
	"time"

	"parley/models"
)

const (
	// missedAgain is how soon the database is asked again for what a dead connection
	// missed, missedWithin for how long: who is let in hears nothing meanwhile.
	missedAgain  = time.Second
	missedWithin = 30 * time.Second
)

// fromTheDead is for a client that comes beside other sockets of its user and
// cannot say what it had: it may be the page of one of them, loaded again or
// back from a broken connection that nobody has noticed. So the others are asked
// whether they are alive. Of one that is not it is noted, as it goes, what it
// had; the newcomer is sent the rest. Beside those that answer it may be the page of
// one that left before; else it is a further device, which missed nothing.
func (s *Service) fromTheDead(ctx context.Context, user models.UserID, door Door, chats []models.ChatID, others int, given []models.Message, came time.Time) []models.Event {
	socket := door.SocketID()
	if s.Limits.Replay == 0 {
		return nil
	}
	var left models.Absence
	found := false
	if !s.Hub.Probe(ctx, user, socket, others) {
		var err error
		left, found, err = s.awaitParting(ctx, user)
		found = found && s.mayFollow(left, came)
		if err == nil && !found {
			left, found = s.leftByDead(ctx, user, came)
		}
	}
	w := s.entrance(socket)
	if found {
		w.from = left.Since
	}
	// More than it was given already would come out of order.
	if v, follows := s.follows(ctx, user, door, w.from, found || w.follows || len(given) > 0, came); follows {
		left, found = v.Absence, true
		s.goesOn(socket, left, true)
	}
	if !found && len(given) == 0 && s.deafLately(came) { // a pod that died may not have put back what Redis forgot
		if heard, silent := s.Marks.HeardBySilent(time.Time{}); silent {
			left, found = models.Absence{Since: heard, Had: models.Had{Heard: heard.Add(-s.Limits.Unheard)}}, true
		}
	}
	if !found {
		return nil // they live, here or on other pods, or those are slow: what was missed is in the history
	}
	missed, err := s.missedAtLast(ctx, user, chats, left.Had)
	if err != nil {
		s.Logger.Warn("what a dead connection missed was not looked up", "user", user, "error", err)
		s.Metrics.Dropped("dead_connection")
		return nil
	}
	door.Has(left.Had)
	s.goesOn(socket, left, false)
	var events []models.Event
	for _, m := range missed {
		if !slices.ContainsFunc(given, func(g models.Message) bool { return g.ID == m.ID }) {
			events = append(events, models.NewMessage{Message: m})
		}
	}
	s.Metrics.MessagesReplayed(len(events))
	return events
}

// mayFollow says whether one that came then can be the page of a socket that left: of
// one that left later, but for a moment, it is a device beside it.
func (s *Service) mayFollow(left models.Absence, came time.Time) bool {
	return !left.Since.After(came.Add(s.Limits.ReloadPatience))
}

// missedAtLast is missed for one that is let in already, and has no other time to be
// sent it: while the database is away it waits, as long as its client does.
func (s *Service) missedAtLast(ctx context.Context, user models.UserID, chats []models.ChatID, had models.Had) ([]models.Message, error) {
	again, over := time.NewTicker(missedAgain), time.After(missedWithin)
	defer again.Stop()
	for {
		missed, _, err := s.missed(ctx, user, chats, had)
		if err == nil {
			return missed, nil
		}
		select {
		case <-again.C:
		case <-over:
			return nil, err
		case <-ctx.Done():
			return nil, err
		}
	}
}

// unserved is for one that leaves before fromTheDead has said what it missed. It
// has heard nothing, so that the absence goes on which a dead connection has
// noted; where none has yet, nothing is noted over it.
func (s *Service) unserved(ctx context.Context, user models.UserID, own models.Absence) (absence models.Absence, note bool) {
	left, found, err := s.Presence.Away(ctx, user)
	switch {
	case err != nil:
		return own, true
	case found && left.Back.IsZero():
		return left, true
	}
	return own, false
}
