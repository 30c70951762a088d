package rooms

import (
	"context"
	"maps"
	"time"

	"parley/models"
)

// Sockets of a pod that was killed count until it is cleaned up after. Nobody notes
// what they had; the pod has said how far it had heard.

// leftByDead is the absence that began for a user when a pod that has other sockets
// of theirs fell silent: it answered for none of them, and will note nothing, or too
// late. That it is takes a while to be seen; while Redis is away, nothing is.
func (s *Service) leftByDead(ctx context.Context, user models.UserID, came time.Time) (left models.Absence, found bool) {
	look, over := time.NewTicker(markEvery), time.NewTimer(missedWithin)
	defer look.Stop()
	defer over.Stop()
	for seen := false; ; {
		pods, err := s.podsOf(ctx, user, s.Marks.Still)
		if err == nil && !seen {
			seen = true
			over.Reset(goneAfter)
		}
		for pod := range pods {
			if mark, _ := s.Marks.MarkOf(pod); !found || mark.Heard.Before(left.Since) {
				left, found = models.Absence{Since: mark.Heard, Had: s.hadByDead(ctx, user, mark)}, true
			}
		}
		if found {
			return left, true
		}
		// Others may have cleaned up after it while Redis was away for us alone.
		if noted, found, err := s.Presence.Away(ctx, user); err == nil && found && noted.Back.IsZero() && s.mayFollow(noted, came) {
			return noted, true
		}
		select {
		case <-look.C:
		case <-over.C:
			return models.Absence{}, false
		case <-ctx.Done():
			return models.Absence{}, false
		}
	}
}

// living is how many of the user's sockets that are left are Parley's, and not of
// a pod that has fallen silent.
func (s *Service) living(ctx context.Context, user models.UserID, left int) int {
	n := s.ours(ctx, user, left)
	if n == 0 {
		return 0
	}
	if _, any := s.Marks.HeardBySilent(time.Time{}); !any {
		return n
	}
	suspect, err := s.podsOf(ctx, user, s.Marks.Suspect)
	if err != nil {
		return n
	}
	for _, sockets := range suspect {
		n -= sockets
	}
	return max(0, n)
}

// deserted says whether the user's other sockets, so many, are all of pods that
// have fallen silent.
func (s *Service) deserted(ctx context.Context, user models.UserID, others int) bool {
	if _, any := s.Marks.HeardBySilent(time.Time{}); !any {
		return false
	}
	suspect, err := s.podsOf(ctx, user, s.Marks.Suspect)
	for _, sockets := range suspect {
		others -= sockets
	}
	return err == nil && others <= 0
}

// podsOf counts the user's sockets on such pods, by pod.
func (s *Service) podsOf(ctx context.Context, user models.UserID, such func(pod string) bool) (map[string]int, error) {
	pods, err := s.Presence.PodsOf(ctx, user)
	if err != nil {
		s.Logger.Warn("not known which pods have the user's sockets", "user", user, "error", err)
		s.Metrics.Dropped("others_unknown")
		return nil, err
	}
	maps.DeleteFunc(pods, func(pod string, _ int) bool { return !such(pod) })
	return pods, nil
}

// hadByDead is what a socket of the user had whose pod died with that mark: what it
// came back with, and what it was sent then, less what a connection had not that was
// dead before. That the user came back may not be noted, where sockets of another pod
// that had died still counted; then it was after the absence that is, if the pod
// lived longer.
func (s *Service) hadByDead(ctx context.Context, user models.UserID, mark models.Mark) models.Had {
	had := models.Had{Heard: mark.Heard.Add(-s.Limits.Unheard)}
	saved, known, err := s.Absences.Absence(ctx, user)
	if err != nil || !known || saved.Back.IsZero() && !mark.Sent.After(saved.Since) {
		return had
	}
	return saved.And(had, later(saved.Since, saved.Back))
}
