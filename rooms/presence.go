package rooms

import (
	"context"

	"parley/models"
)

// PresenceOf tells the caller about a user they share a chat with.
func (s *Service) PresenceOf(ctx context.Context, caller, user models.UserID) (models.Presence, error) {
	if caller != user {
		chats, err := s.Chats.ChatsOf(ctx, caller)
		if err != nil {
			return models.Presence{}, err
		}
		shared := false
		for _, c := range chats {
			shared = shared || c.Has(user)
		}
		if !shared {
			return models.Presence{}, models.Refuse(models.CodeNotAParticipant, "you share no chat with this user")
		}
	}
	p := models.Presence{UserID: user}
	var err error
	if p.Sockets, err = s.Presence.Count(ctx, user); err != nil || p.Sockets > 0 {
		return p, err
	}
	absence, known, err := s.absence(ctx, user)
	if err == nil && known {
		p.LastSeen = absence.Since
	}
	return p, err
}

// PresencesOf tells the caller about those of the users they share a chat with,
// in the order asked for, each once. Of strangers it says nothing, as of users
// who do not exist.
func (s *Service) PresencesOf(ctx context.Context, caller models.UserID, users []models.UserID) ([]models.Presence, error) {
	users, err := s.acquainted(ctx, caller, users)
	if err != nil || len(users) == 0 {
		return nil, err
	}
	all, err := s.Presence.Presences(ctx, users)
	if err != nil {
		return nil, err
	}
	var unknown []models.UserID
	for _, p := range all {
		if p.Sockets == 0 && p.LastSeen.IsZero() {
			unknown = append(unknown, p.UserID)
		}
	}
	if len(unknown) == 0 {
		return all, nil
	}
	seen, err := s.Absences.LastSeen(ctx, unknown)
	if err != nil {
		return nil, err
	}
	for i, p := range all {
		if p.Sockets == 0 && p.LastSeen.IsZero() {
			all[i].LastSeen = seen[p.UserID]
		}
	}
	return all, nil
}

// acquainted are those of the users who share a chat with the caller, and the
// caller, each once.
func (s *Service) acquainted(ctx context.Context, caller models.UserID, users []models.UserID) ([]models.UserID, error) {
	shares := make(map[models.UserID]bool, len(users))
	for _, u := range users {
		shares[u] = u == caller
	}
	if len(shares) > 1 || !shares[caller] {
		chats, err := s.Chats.ChatsOf(ctx, caller)
		if err != nil {
			return nil, err
		}
		for _, c := range chats {
			for _, u := range c.Participants {
				if _, asked := shares[u]; asked {
					shares[u] = true
				}
			}
		}
	}
	var known []models.UserID
	for _, u := range users {
		if shares[u] {
			known = append(known, u)
			shares[u] = false // once is enough
		}
	}
	return known, nil
}
