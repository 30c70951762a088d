package rooms

import (
	"context"
	"slices"
	"time"

	"parley/models"
)

const (
	catchUpChats    = 500  // chats asked for at a time
	catchUpMessages = 5000 // newest messages told again at a time
)

// CatchUp tells this pod's sockets what other pods published while this one
// could not hear them. The hub knows what it has already sent and leaves it out.
func (s *Service) CatchUp(ctx context.Context, since time.Time, chats []models.ChatID) error {
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
