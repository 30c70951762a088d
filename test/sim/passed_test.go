package sim

import (
	"slices"
	"time"

	"parley/models"
)

// passedOver says whether the user, when they first came back after it was said and
// it was known what they missed, was not in the chat any more.
func (w *world) passedOver(u models.UserID, s sent) bool {
	first := time.Time{}
	for _, p := range w.all {
		for _, at := range p.came {
			if p.user == u && w.served(u, at).After(s.message.CreatedAt) && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
	}
	return !first.IsZero() && slices.ContainsFunc(w.members, func(m membership) bool {
		return m.user == u && m.chat == s.message.ChatID && !m.added && s.message.CreatedAt.Before(m.asked) &&
			!w.served(u, first).Before(m.asked) && first.Before(w.next(m).did)
	})
}

// served is when a user who came then has been given what they missed, at the
// latest: beside sockets of a pod that was killed it is asked first who is alive, and
// looked up then.
func (w *world) served(u models.UserID, came time.Time) time.Time {
	const (
		cleanedUp = 10 * time.Second // until the killed pod's sockets do not count any more
		asked     = 3 * time.Second
	)
	for _, p := range w.all {
		for conn, broke := range p.ended {
			if p.user == u && p.on[conn] != nil && p.on[conn].killed.Load() && broke.Before(came) && came.Before(broke.Add(cleanedUp)) {
				return came.Add(asked)
			}
		}
	}
	return came
}
