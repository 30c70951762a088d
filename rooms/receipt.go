package rooms

import (
	"context"

	"parley/models"
)

// receipt is a message whose sender is to be told who was reached.
type receipt struct {
	message models.Message
	// to is the one recipient who came back for it; empty means everybody in
	// the chat who is online now.
	to models.UserID
}

func (s *Service) receipt(r receipt) {
	select {
	case s.receipts <- r:
	default:
		s.Metrics.Dropped("receipt_queue_full")
	}
}

// deliver tells the sender. A failure costs a courtesy, not a message, so it is
// counted and forgotten.
func (s *Service) deliver(ctx context.Context, r receipt) {
	m := r.message
	recipients := []models.UserID{r.to}
	if r.to == "" {
		chat, found, err := s.Chats.Chat(ctx, m.ChatID)
		if err != nil || !found {
			s.Metrics.Dropped("receipt_failed")
			return
		}
		online, err := s.Presence.Online(ctx, chat.Participants)
		if err != nil {
			s.Metrics.Dropped("receipt_failed")
			return
		}
		recipients = recipients[:0]
		for _, u := range chat.Participants {
			if online[u] {
				recipients = append(recipients, u)
			}
		}
	}
	for _, u := range recipients {
		if u == m.SenderID {
			continue
		}
		s.Hub.Emit(models.Audience{Users: []models.UserID{m.SenderID}},
			models.MessageDelivered{MessageID: m.ID, ChatID: m.ChatID, UserID: u, At: s.now()})
	}
}
