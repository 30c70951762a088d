package rooms

import (
	"context"

	"parley/models"
)

// Connect lets a socket in: presence, its rooms, and the backlog of what its
// user missed. Nothing that is sent to its rooms after Enter is lost: the door
// holds it back until the backlog is sent. After an error nothing is left.
func (s *Service) Connect(ctx context.Context, user models.UserID, door Door) (backlog []models.Event, err error) {
	socket := door.SocketID()
	// The order matters. Identified first, a removal from a chat that happens
	// while we look the chats up still finds the socket; in presence before the
	// look-up, so does one from a Node pod, which knows sockets only by id.
	door.Identify(user)
	came := s.now()
	arrival, err := s.Presence.Add(ctx, user, socket)
	if err != nil {
		s.undo(ctx, user, socket, unknown, came)
		return nil, err
	}
	others := arrival.Others
	defer func() {
		if err != nil {
			s.undo(ctx, user, socket, others, came)
		}
	}()

	back, recovering, err := s.comeBack(ctx, user, door, arrival.Ours)
	if err != nil {
		return nil, err
	}
	defer func() {
		if id, _, _ := door.Resumes(); err != nil && back.session.UserID != "" {
			s.keepSession(context.WithoutCancel(ctx), id, back.session)
		}
	}()
	ids, err := s.enter(ctx, user, door)
	if err != nil {
		return nil, err
	}

	var had *models.Absence
	if recovering {
		had = &back.had
	}
	missed, whole, err := s.welcome(ctx, user, socket, ids, arrival, came, had)
	if err != nil {
		return nil, err
	}
	if back.exact && whole && !back.session.Over {
		door.Resume()
	}
	for _, m := range missed {
		backlog = append(backlog, models.NewMessage{Message: m})
		if others == 0 && m.SenderID != user {
			s.receipt(receipt{message: m, to: user})
		}
	}
	s.Metrics.MessagesReplayed(len(missed))
	if others == 0 && len(ids) > 0 {
		s.Hub.Emit(models.Audience{Chats: ids, ExceptUsers: []models.UserID{user}}, models.UserOnline{UserID: user})
	}
	return backlog, nil
}

// enter puts the socket into the rooms of its user's chats.
func (s *Service) enter(ctx context.Context, user models.UserID, door Door) ([]models.ChatID, error) {
	for {
		chats, err := s.Chats.ChatsOf(ctx, user)
		if err != nil {
			return nil, err
		}
		if ids := chatIDs(chats); door.Enter(ids) {
			return ids, door.Hears(ctx)
		}
	}
}

func chatIDs(chats []models.Chat) []models.ChatID {
	ids := make([]models.ChatID, len(chats))
	for i, c := range chats {
		ids[i] = c.ID
	}
	return ids
}
