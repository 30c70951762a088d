package rooms

import (
	"context"
	"slices"

	"parley/models"
)

// PresenceOf tells the caller about a user they share a chat with.
func (s *Service) PresenceOf(ctx context.Context, caller, user models.UserID) (models.Presence, error) {
	if caller != user {
		known, err := s.acquainted(ctx, caller, []models.UserID{user})
		if err != nil {
			return models.Presence{}, err
		}
		if len(known) == 0 {
			return models.Presence{}, models.Refuse(models.CodeNotAParticipant, "you share no chat with this user")
		}
	}
	p := models.Presence{UserID: user}
	err := s.askedFor(ctx, []models.UserID{user})
	if err != nil {
		return p, err
	}
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
	if err := s.askedFor(ctx, users); err != nil {
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
	var known, others []models.UserID
	for _, u := range users {
		if u != caller && !slices.Contains(others, u) {
			others = append(others, u)
		}
	}
	if len(others) == 0 {
		return slices.Compact(slices.Clone(users)), nil
	}
	chats, err := s.Chats.ChatIDsOf(ctx, append([]models.UserID{caller}, others...)...)
	if err != nil {
		return nil, err
	}
	in := make(map[models.ChatID]bool, len(chats[caller]))
	for _, id := range chats[caller] {
		in[id] = true
	}
	for _, u := range users {
		shares := u == caller || slices.ContainsFunc(chats[u], func(id models.ChatID) bool { return in[id] })
		if shares && !slices.Contains(known, u) {
			known = append(known, u)
		}
	}
	return known, nil
}
