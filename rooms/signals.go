package rooms

import (
	"context"

	"parley/models"
)

// Typing passes on that the socket's user types, or stopped, to the others in
// the chat. Nothing is stored, so being in the room is authority enough.
func (s *Service) Typing(user models.UserID, socket models.SocketID, chat models.ChatID, isTyping bool) error {
	if !s.Hub.InRoom(socket, chat) {
		return models.Refuse(models.CodeNotAParticipant, "you do not take part in this chat")
	}
	s.Hub.Emit(models.Audience{Chats: []models.ChatID{chat}, ExceptUsers: []models.UserID{user}},
		models.Typing{ChatID: chat, UserID: user, IsTyping: isTyping})
	return nil
}

// MarkRead tells the chat, the reader's other devices included, how far the
// user has read.
func (s *Service) MarkRead(ctx context.Context, user models.UserID, socket models.SocketID, chat models.ChatID, message models.MessageID) error {
	if _, err := s.member(ctx, user, chat); err != nil {
		return err
	}
	m, found, err := s.Messages.Message(ctx, message)
	if err != nil {
		return err
	}
	if !found || m.ChatID != chat {
		return models.Refuse(models.CodeMessageNotFound, "there is no such message in this chat")
	}
	s.Hub.Emit(models.Audience{Chats: []models.ChatID{chat}, ExceptSockets: []models.SocketID{socket}},
		models.MessageRead{ChatID: chat, UserID: user, MessageID: message, At: s.now()})
	return nil
}
