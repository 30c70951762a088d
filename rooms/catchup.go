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
// knows what it has already sent and leaves it out. After an error it can be
// called again.
func (s *Service) CatchUp(ctx context.Context, since time.Time) error {
	for users := range slices.Chunk(s.Hub.Users(), catchUpUsers) {
		if err := s.reseat(ctx, users); err != nil {
			return err
		}
	}
	for chats := range slices.Chunk(s.Hub.Chats(), catchUpChats) {
		if err := s.retell(ctx, since, chats); err != nil {
			return err
		}
	}
	return nil
}

// reseat holds the users' sockets on this pod to what the database says.
func (s *Service) reseat(ctx context.Context, users []models.UserID) error {
	ctx, cancel := context.WithTimeout(ctx, s.Limits.StoreTimeout)
	defer cancel()
	known := map[models.ChatID]models.Chat{}
	moved, err := s.Hub.Reseat(ctx, users, func() (map[models.UserID][]models.ChatID, error) {
		chats, err := s.Chats.ChatsOf(ctx, users...)
		ids := make(map[models.UserID][]models.ChatID, len(users))
		for _, c := range chats {
			known[c.ID] = c
			for _, u := range users {
				if c.Has(u) {
					ids[u] = append(ids[u], c.ID)
				}
			}
		}
		return ids, err
	})
	for _, seat := range moved {
		who := models.Audience{Sockets: []models.SocketID{seat.SocketID}}
		if seat.Taken {
			s.Hub.EmitLocal(who, models.ChatJoined{Chat: known[seat.ChatID]})
		} else {
			s.Hub.EmitLocal(who, models.ChatLeft{ChatID: seat.ChatID})
		}
	}
	return err
}

func (s *Service) retell(ctx context.Context, since time.Time, chats []models.ChatID) error {
	ctx, cancel := context.WithTimeout(ctx, s.Limits.StoreTimeout)
	defer cancel()
	messages, err := s.Messages.Since(ctx, chats, since.Add(-Slack), catchUpMessages)
	for _, m := range messages {
		s.Hub.Retell(m)
	}
	return err
}
