package rooms

import (
	"context"
	"fmt"
	"slices"
	"unicode/utf8"

	"parley/models"
)

// CreateChat makes a chat of the caller and the participants. Their live
// sockets are in its room, on every pod, before it returns.
func (s *Service) CreateChat(ctx context.Context, caller models.UserID, participants []models.UserID, name string) (models.Chat, error) {
	all := []models.UserID{caller}
	for _, u := range participants {
		if !slices.Contains(all, u) {
			all = append(all, u)
		}
	}
	switch {
	case len(all) > s.Limits.Participants:
		return models.Chat{}, models.Refuse(models.CodeInvalidBody, fmt.Sprintf("a chat has at most %d participants", s.Limits.Participants))
	case len(name) > s.Limits.NameBytes || !utf8.ValidString(name):
		return models.Chat{}, models.Refuse(models.CodeInvalidBody, fmt.Sprintf("name is longer than %d bytes or not valid UTF-8", s.Limits.NameBytes))
	}
	now := s.now()
	chat := models.Chat{ID: s.IDs.NewChatID(), Name: name, Participants: all, CreatedAt: now, UpdatedAt: now}
	if err := s.Chats.CreateChat(ctx, chat); err != nil {
		return models.Chat{}, err
	}
	// The chat exists now. A pod that cannot be reached learns of it when its
	// sockets reconnect; failing here would only make the caller create it twice.
	if err := s.seat(ctx, all, chat); err != nil {
		s.Logger.Warn("not every pod joined its sockets to a new chat", "chat", chat.ID, "error", err)
	}
	return chat, nil
}

// AddParticipant lets a user into a chat the caller takes part in.
func (s *Service) AddParticipant(ctx context.Context, caller models.UserID, id models.ChatID, user models.UserID) (models.Chat, error) {
	asked := s.now()
	chat, err := s.member(ctx, caller, id)
	if err != nil {
		return models.Chat{}, err
	}
	if !chat.Has(user) && len(chat.Participants) >= s.Limits.Participants {
		return models.Chat{}, models.Refuse(models.CodeInvalidBody, fmt.Sprintf("a chat has at most %d participants", s.Limits.Participants))
	}
	if !chat.Has(user) {
		if err := s.Moves.SaveMove(ctx, models.Move{UserID: user, ChatID: id, Added: true, At: asked}); err != nil {
			return models.Chat{}, err
		}
	}
	chat, found, err := s.Chats.AddParticipant(ctx, id, user, s.now())
	if err != nil {
		return models.Chat{}, err
	}
	if !found {
		return models.Chat{}, models.Refuse(models.CodeChatNotFound, "there is no such chat")
	}
	return chat, s.seat(ctx, []models.UserID{user}, chat)
}

// RemoveParticipant shows a user the door of a chat the caller takes part in,
// or lets the caller leave. When it returns, no socket of the user hears the
// chat any more; after an error the caller must try again.
func (s *Service) RemoveParticipant(ctx context.Context, caller models.UserID, id models.ChatID, user models.UserID) (models.Chat, error) {
	asked := s.now()
	chat, found, err := s.Chats.Chat(ctx, id)
	switch {
	case err != nil:
		return models.Chat{}, err
	case !found:
		return models.Chat{}, models.Refuse(models.CodeChatNotFound, "there is no such chat")
	case !chat.Has(caller) && caller != user: // who has left may repeat it
		return models.Chat{}, models.Refuse(models.CodeNotAParticipant, "you do not take part in this chat")
	}
	was := chat.Has(user)
	if was {
		if err := s.Moves.SaveMove(ctx, models.Move{UserID: user, ChatID: id, At: asked}); err != nil {
			return models.Chat{}, err
		}
	}
	chat, found, err = s.Chats.RemoveParticipant(ctx, id, user, s.now())
	if err != nil {
		return models.Chat{}, err
	}
	if !found {
		return models.Chat{}, models.Refuse(models.CodeChatNotFound, "there is no such chat")
	}
	who, err := s.everySocket(ctx, []models.UserID{user})
	if lerr := s.Hub.Leave(ctx, who, id); lerr != nil || err != nil {
		if err == nil {
			err = lerr
		}
		s.unsettled(id, user)
		return models.Chat{}, err
	}
	if was {
		s.Hub.Emit(who, models.ChatLeft{ChatID: id})
	}
	return chat, nil
}

// seat joins every live socket of the users to the chat and tells them.
func (s *Service) seat(ctx context.Context, users []models.UserID, chat models.Chat) error {
	who, err := s.everySocket(ctx, users)
	if jerr := s.Hub.Join(ctx, who, chat.ID); err == nil {
		err = jerr
	}
	if err != nil {
		s.unsettled(chat.ID, users...)
	}
	s.Hub.Emit(who, models.ChatJoined{Chat: chat})
	return err
}

// everySocket names the users and, because a Node pod knows its sockets by id
// alone, each of their sockets. The audience is usable after an error too.
func (s *Service) everySocket(ctx context.Context, users []models.UserID) (models.Audience, error) {
	who := models.Audience{Users: users}
	for _, u := range users {
		sockets, err := s.Presence.Sockets(ctx, u)
		if err != nil {
			return who, err
		}
		who.Sockets = append(who.Sockets, sockets...)
	}
	return who, nil
}
