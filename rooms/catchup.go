package rooms

import (
	"context"
	"slices"
	"time"

	"parley/models"
)

const (
	catchUpUsers    = 100  // users whose chats are looked up before any is moved
	catchUpChats    = 500  // chats asked for at a time
	catchUpMessages = 5000 // newest messages told again at a time
)

// CatchUp makes good what other pods published while this one could not hear
// them: who was let into a chat or shown the door, and what was said. The hub
// knows what it has already sent and leaves it out.
func (s *Service) CatchUp(ctx context.Context, since time.Time, chats []models.ChatID) error {
	entered, err := s.reseat(ctx)
	if err != nil {
		return err
	}
	for _, id := range entered {
		if !slices.Contains(chats, id) {
			chats = append(chats, id)
		}
	}
	for batch := range slices.Chunk(chats, catchUpChats) {
		messages, err := s.Messages.Since(ctx, batch, since.Add(-Slack), catchUpMessages)
		if err != nil {
			return err
		}
		for _, m := range messages {
			s.Hub.EmitLocal(models.Audience{Chats: []models.ChatID{m.ChatID}}, models.NewMessage{Message: m})
		}
	}
	return nil
}

// reseat holds this pod's sockets to what the database says of their users and
// returns the chats somebody entered.
func (s *Service) reseat(ctx context.Context) (entered []models.ChatID, err error) {
	for users := range slices.Chunk(s.Hub.Users(), catchUpUsers) {
		known := map[models.ChatID]models.Chat{}
		look := func() (map[models.UserID][]models.ChatID, error) {
			ids := make(map[models.UserID][]models.ChatID, len(users))
			for _, u := range users {
				chats, err := s.Chats.ChatsOf(ctx, u)
				if err != nil {
					return nil, err
				}
				ids[u] = chatIDs(chats)
				for _, c := range chats {
					known[c.ID] = c
				}
			}
			return ids, nil
		}
		moved, err := s.Hub.Reseat(ctx, users, look)
		for _, seat := range moved {
			who := models.Audience{Sockets: []models.SocketID{seat.SocketID}}
			if seat.Taken {
				entered = append(entered, seat.ChatID)
				s.Hub.EmitLocal(who, models.ChatJoined{Chat: known[seat.ChatID]})
			} else {
				s.Hub.EmitLocal(who, models.ChatLeft{ChatID: seat.ChatID})
			}
		}
		if err != nil {
			return entered, err
		}
	}
	return entered, nil
}
