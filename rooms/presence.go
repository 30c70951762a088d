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
