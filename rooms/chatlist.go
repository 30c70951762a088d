package rooms

import (
	"cmp"
	"context"
	"slices"
	"time"

	"parley/models"
)

const (
	listChunk = 100 // chats of a list read at a time
	// listParticipants is how many participants the chats of one page have, at most,
	// but for the last of them.
	listParticipants = 100_000
)

// listed is a chat of a list before it is read.
type listed struct {
	id models.ChatID
	at time.Time
}

// ChatsOf returns a page of the user's chats, newest activity first, and the
// cursor of the page that follows it, or "". Only the chats of the page are read;
// of the others their ids and newest messages say where they belong.
func (s *Service) ChatsOf(ctx context.Context, user models.UserID, page models.ChatPage) ([]models.Chat, models.ChatID, error) {
	ids, err := s.chatIDsOf(ctx, user)
	if err != nil {
		return nil, "", err
	}
	latest, err := s.Messages.Latest(ctx, ids)
	if err != nil {
		return nil, "", err
	}
	list := make([]listed, len(ids))
	for i, id := range ids {
		list[i] = listed{id, later(id.Time(), latest[id].CreatedAt)}
	}
	slices.SortFunc(list, func(a, b listed) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(b.id, a.id)) })
	if page.Before != "" {
		i := slices.IndexFunc(list, func(l listed) bool { return l.id == page.Before })
		if i < 0 {
			return nil, "", models.Refuse(models.CodeInvalidCursor, "before names no chat of yours")
		}
		list = list[i+1:]
	}
	chats, read, err := s.readList(ctx, list[:min(page.Limit, len(list))])
	if err != nil {
		return nil, "", err
	}
	var next models.ChatID
	if 0 < read && read < len(list) {
		next = list[read-1].id
	}
	for i := range chats {
		if m, ok := latest[chats[i].ID]; ok {
			chats[i].LastMessage = &m
		}
	}
	slices.SortStableFunc(chats, func(a, b models.Chat) int {
		return cmp.Or(b.LastActivity().Compare(a.LastActivity()), cmp.Compare(b.ID, a.ID))
	})
	return chats, next, nil
}

// readList reads the chats in their order, until they have too many participants
// for one answer; read is of how many.
func (s *Service) readList(ctx context.Context, list []listed) (chats []models.Chat, read int, err error) {
	participants := 0
	for chunk := range slices.Chunk(list, listChunk) {
		ids := make([]models.ChatID, len(chunk))
		for i, l := range chunk {
			ids[i] = l.id
		}
		byID, err := s.chatsByID(ctx, ids)
		if err != nil {
			return nil, 0, err
		}
		for _, id := range ids {
			if participants > listParticipants {
				return chats, read, nil
			}
			read++
			if chat, ok := byID[id]; ok {
				chats = append(chats, chat)
				participants += len(chat.Participants)
			}
		}
	}
	return chats, read, nil
}
