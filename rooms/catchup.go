package rooms

import (
	"context"
	"errors"
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
	if heard := s.Marks.Heard(); !heard.IsZero() {
		since = heard // which stands still since then
	} else {
		since = since.Add(-models.Slack)
	}
	return s.retellAll(ctx, since)
}

// retellAll tells what was said since then, and this pod has not told.
func (s *Service) retellAll(ctx context.Context, since time.Time) error {
	asOf := s.Now()
	moves, err := s.movesSince(ctx, since, s.Hub.Users()...)
	if err != nil {
		return err
	}
	for chats := range slices.Chunk(s.Hub.Chats(), catchUpChats) {
		if err := s.retell(ctx, since, chats, asOf, moves); err != nil {
			return err
		}
	}
	return nil
}

// reseat holds the users' sockets on this pod to what the database says.
func (s *Service) reseat(ctx context.Context, users []models.UserID) error {
	ctx, cancel := context.WithTimeout(ctx, s.Limits.StoreTimeout)
	defer cancel()
	moved, err := s.Hub.Reseat(ctx, users, func() (map[models.UserID][]models.ChatID, error) {
		return s.Chats.ChatIDsOf(ctx, users...)
	})
	return errors.Join(err, s.tellSeats(ctx, moved))
}

// tellSeats tells sockets which chats they are in now, or are not any more.
func (s *Service) tellSeats(ctx context.Context, moved []models.Seat) error {
	var into []models.ChatID
	for _, seat := range moved {
		if seat.Taken {
			into = append(into, seat.ChatID)
		}
	}
	slices.Sort(into)
	chats, err := s.chatsByID(ctx, slices.Compact(into))
	for _, seat := range moved {
		who := models.Audience{Sockets: []models.SocketID{seat.SocketID}}
		if !seat.Taken {
			s.Hub.EmitLocal(who, models.ChatLeft{ChatID: seat.ChatID})
		} else if chat, ok := chats[seat.ChatID]; ok {
			s.Hub.EmitLocal(who, models.ChatJoined{Chat: chat})
		}
	}
	return err
}

func (s *Service) chatsByID(ctx context.Context, ids []models.ChatID) (map[models.ChatID]models.Chat, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	chats, err := s.Chats.ChatsByID(ctx, ids)
	byID := make(map[models.ChatID]models.Chat, len(chats))
	for _, c := range chats {
		byID[c.ID] = c
	}
	return byID, err
}

func (s *Service) retell(ctx context.Context, since time.Time, chats []models.ChatID, asOf time.Time, moves moves) error {
	ctx, cancel := context.WithTimeout(ctx, s.Limits.StoreTimeout)
	defer cancel()
	messages, err := s.Messages.Since(ctx, chats, since, catchUpMessages)
	for _, m := range messages {
		s.Hub.Retell(m, asOf, moves.out(m))
	}
	return err
}
