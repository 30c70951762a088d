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
			heard, _ := s.Marks.HeardBy(pod)
			if had := s.heardByDead(models.Departure{Pod: pod}); !found || had.Before(left.Heard) {
				left, found = models.Absence{Since: heard, Had: models.Had{Heard: had}}, true
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
	if _, any := s.Marks.HeardBySilent(); !any {
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
	if _, any := s.Marks.HeardBySilent(); !any {
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

// heardByDead is up to when the sockets of a pod that died had all: as far as that
// pod said it had heard, less what a connection had not that was dead before.
func (s *Service) heardByDead(d models.Departure) time.Time {
	heard, ok := s.Marks.HeardBy(d.Pod)
	if !ok {
		heard = d.At.Add(-models.Slack)
	}
	return heard.Add(-s.Limits.Unheard)
}
