package rooms

import (
	"context"
	"time"

	"parley/models"
)

// reloadPoll is how soon the departure is looked for first; each time after
// that it takes twice as long.
const reloadPoll = 10 * time.Millisecond

// parting finds out whether who comes beside others, and so soon after the
// first of them that it would share what that one was sent again, is a page that
// was loaded again: its old socket may be about to go, but its pod has not heard
// of it. What that one had is noted then; found is false where nobody left.
func (s *Service) parting(ctx context.Context, user models.UserID, door Door) (absence models.Absence, found bool, err error) {
	err = door.Aside(ctx, func() (err error) {
		absence, found, err = s.awaitParting(ctx, user)
		return err
	})
	return absence, found, err
}

func (s *Service) awaitParting(ctx context.Context, user models.UserID) (absence models.Absence, found bool, err error) {
	left := s.Limits.ReloadPatience
	for wait := reloadPoll; ; wait *= 2 {
		absence, found, err = s.Presence.Away(ctx, user)
		switch {
		case ctx.Err() != nil:
			return models.Absence{}, false, models.Unavailable("the server", ctx.Err())
		case err != nil: // what it shares may come twice: no reason to refuse it
			s.Logger.Warn("departure not looked for", "user", user, "error", err)
			return models.Absence{}, false, nil
		case found && absence.Back.IsZero():
			return absence, true, nil
		case left <= 0:
			return models.Absence{}, false, nil
		}
		wait = min(wait, left)
		left -= wait
		select {
		case <-ctx.Done():
			return models.Absence{}, false, models.Unavailable("the server", ctx.Err())
		case <-time.After(wait):
		}
	}
}
