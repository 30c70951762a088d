package rooms

import (
	"context"

	"parley/models"
)

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
	absence, found, err = s.Presence.AwaitAway(ctx, user, s.Limits.ReloadPatience)
	switch {
	case ctx.Err() != nil:
		return models.Absence{}, false, models.Unavailable("the server", ctx.Err())
	case err != nil: // what it shares may come twice: no reason to refuse it
		s.Logger.Warn("departure not looked for", "user", user, "error", err)
		return models.Absence{}, false, nil
	case !found:
		return models.Absence{}, false, nil
	}
	return absence, true, nil
}
