package rooms

import (
	"context"
	"time"

	"parley/models"
)

// Who comes and goes is told to those who share a chat, unless it is a large one:
// there everybody would be told of everybody, and REST answers instead. Who comes
// is told of at once; who goes only when presence finds that they stayed away.

// arrivalQueue bounds how many may wait to be announced.
const arrivalQueue = 4096

// arrived is a user who is online.
type arrived struct{ user models.UserID }

// online announces that the user is there.
func (s *Service) online(user models.UserID) {
	select {
	case s.arrivals <- arrived{user}:
	default:
		s.Metrics.Dropped("online_announcement")
	}
}

func (s *Service) tellOnline(ctx context.Context, all []arrived) {
	ctx, cancel := context.WithTimeout(ctx, s.Limits.StoreTimeout)
	defer cancel()
	users := make([]models.UserID, len(all))
	for i, a := range all {
		users[i] = a.user
	}
	chats, err := s.chatsToTell(ctx, users)
	if err != nil {
		s.Logger.Warn("online not announced", "users", len(users), "error", err)
		s.Metrics.Dropped("online_announcement")
		return
	}
	var notices []models.Notice
	for _, u := range users {
		if ids := chats[u]; len(ids) > 0 {
			notices = append(notices, models.Notice{To: othersIn(ids, u), Event: models.UserOnline{UserID: u}})
		}
	}
	s.Hub.EmitEach(notices)
}

func othersIn(chats []models.ChatID, user models.UserID) models.Audience {
	return models.Audience{Chats: chats, ExceptUsers: []models.UserID{user}}
}

// gone is for a user without sockets: others are told, if they stay away.
func (s *Service) gone(ctx context.Context, user models.UserID, left time.Time) {
	err := s.Presence.NoteLeft(ctx, user, left)
	if err == nil {
		return
	}
	s.Logger.Warn("departure not noted; it is told at once", "user", user, "error", err)
	gone := []models.Untold{{UserID: user, Left: left}}
	chats, err := s.chatsToTell(ctx, []models.UserID{user})
	if err != nil {
		s.Logger.Warn("offline not announced", "user", user, "error", err)
		s.Metrics.Dropped("offline_announcement")
		return
	}
	s.tellOffline(ctx, gone, chats)
}

// Forgotten is for when Redis has lost what it knew, at that time at the latest,
// and the pods that live have put back what they have. Who was there and is not
// now has left: nobody else may be left who knows. After an error it is called again.
func (s *Service) Forgotten(ctx context.Context, at time.Time) error {
	return s.Absences.TakenForOnline(ctx, func(users []models.UserID) error {
		return s.Presence.NoteMissing(ctx, users, at)
	})
}

// Untold is for users who have left and have not come back in time. After an
// error nobody was told; it is called again.
func (s *Service) Untold(ctx context.Context, untold []models.Untold) error {
	looking, cancel := s.unhurried(ctx, s.Limits.StoreTimeout)
	defer cancel()
	chats, err := s.chatsToTell(looking, usersOf(untold))
	if err != nil {
		return err
	}
	// Last, so that who comes meanwhile is not told of.
	taken, err := s.Presence.TakeUntold(ctx, untold)
	if err != nil {
		return err
	}
	s.tellOffline(ctx, taken, chats)
	return nil
}

// askedFor is for users of whom somebody is about to be told whether they are
// there. Who hears that one is gone has to hear when they are back: so all others
// are told now, and not only once it is due.
func (s *Service) askedFor(ctx context.Context, users []models.UserID) error {
	taken, err := s.Presence.TakeLeft(ctx, users)
	if err != nil || len(taken) == 0 {
		return err
	}
	chats, err := s.chatsToTell(ctx, usersOf(taken))
	if err != nil {
		s.Logger.Warn("offline not announced", "users", len(taken), "error", err)
		s.Metrics.Dropped("offline_announcement")
		return nil
	}
	s.tellOffline(ctx, taken, chats)
	return nil
}

func (s *Service) tellOffline(ctx context.Context, gone []models.Untold, chats map[models.UserID][]models.ChatID) {
	var notices []models.Notice
	for _, g := range gone {
		if ids := chats[g.UserID]; len(ids) > 0 {
			notices = append(notices, models.Notice{
				To: othersIn(ids, g.UserID), Event: models.UserOffline{UserID: g.UserID, LastSeen: g.Left},
			})
		}
	}
	s.toldGone(gone)
	s.Hub.EmitEach(notices)
	if err := s.Absences.ToldOffline(ctx, gone); err != nil {
		// Should Redis lose what it knows before they come and go again, they are told
		// of once more.
		s.Logger.Warn("not saved that they were told of", "users", len(gone), "error", err)
		s.Metrics.Dropped("told_not_saved")
	}
}

func usersOf(untold []models.Untold) []models.UserID {
	users := make([]models.UserID, len(untold))
	for i, u := range untold {
		users[i] = u.UserID
	}
	return users
}

// chatsToTell looks up, for all in one go, which chats are to hear of each.
func (s *Service) chatsToTell(ctx context.Context, users []models.UserID) (map[models.UserID][]models.ChatID, error) {
	told := make(map[models.UserID][]models.ChatID, len(users))
	if len(users) == 0 {
		return told, nil
	}
	for _, u := range users {
		told[u] = nil
	}
	chats, err := s.Chats.SmallChatsOf(ctx, s.Limits.PresenceRoom, users...)
	if err != nil {
		return nil, err
	}
	for _, c := range chats {
		for _, u := range c.Participants {
			if ids, asked := told[u]; asked {
				told[u] = append(ids, c.ID)
			}
		}
	}
	return told, nil
}
