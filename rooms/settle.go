package rooms

import (
	"context"
	"time"

	"parley/models"
)

// A change of who is in a chat that not every pod can be told of may yet reach some,
// long after it was made again by way of another pod, and undone. So once the others
// are heard again they are told what the database says by then.

// maxUnsettled bounds how many are remembered.
const maxUnsettled = 4096

// place is a user's in a chat.
type place struct {
	chat models.ChatID
	user models.UserID
}

// unsettled remembers places of which other pods may not have been told.
func (s *Service) unsettled(chat models.ChatID, users ...models.UserID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range users {
		if len(s.places) >= maxUnsettled {
			s.Metrics.Dropped("unsettled_places")
			return
		}
		s.places[place{chat, u}] = struct{}{}
	}
}

// lateAfter is how long after it was told here that a user is offline the other pods
// may be told, before it may not be so any more.
const lateAfter = time.Second

// toldGone remembers of whom the other pods are being told that they are offline.
func (s *Service) toldGone(gone []models.Untold) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range gone {
		if len(s.goneBy) >= maxUnsettled {
			return
		}
		s.goneBy[g.UserID] = now
	}
}

// backSince tells the others of users who were there again before the word that they
// are offline had reached all pods: that waited for Redis. All that was told before
// handed has.
func (s *Service) backSince(ctx context.Context, handed time.Time) {
	var late []models.UserID
	s.mu.Lock()
	for u, at := range s.goneBy {
		if !at.Before(handed) {
			continue
		}
		if handed.Sub(at) >= lateAfter {
			late = append(late, u)
		}
		delete(s.goneBy, u)
	}
	s.mu.Unlock()
	if len(late) == 0 {
		return
	}
	online, err := s.Presence.Online(ctx, late)
	if err != nil {
		s.Logger.Warn("not known who is back of those told late to be offline", "users", len(late), "error", err)
		s.Metrics.Dropped("online_announcement")
		return
	}
	var back []arrived
	for _, u := range late {
		if online[u] {
			back = append(back, arrived{u})
		}
	}
	if len(back) > 0 {
		s.tellOnline(ctx, back)
	}
}

// settle has every pod put the users into the rooms they belong in, or out of them.
// What does not work is tried again the next time.
func (s *Service) settle(ctx context.Context) {
	s.mu.Lock()
	places := make([]place, 0, len(s.places))
	for p := range s.places {
		places = append(places, p)
	}
	s.mu.Unlock()
	for _, p := range places {
		if err := s.settlePlace(ctx, p); err != nil {
			s.Logger.Warn("other pods may not know who is in a chat", "chat", p.chat, "user", p.user, "error", err)
			return
		}
		s.mu.Lock()
		delete(s.places, p)
		s.mu.Unlock()
	}
}

// settlePlace does so until it is what the database says afterwards, too.
func (s *Service) settlePlace(ctx context.Context, p place) error {
	chat, _, err := s.Chats.Chat(ctx, p.chat)
	for err == nil {
		var who models.Audience
		if who, err = s.everySocket(ctx, []models.UserID{p.user}); err != nil {
			return err
		}
		in := chat.Has(p.user)
		if in {
			err = s.Hub.Join(ctx, who, p.chat)
		} else {
			err = s.Hub.Leave(ctx, who, p.chat)
		}
		if err != nil {
			return err
		}
		if chat, _, err = s.Chats.Chat(ctx, p.chat); err == nil && chat.Has(p.user) == in {
			return nil
		}
	}
	return err
}
