package rooms

import (
	"context"
	"time"

	"parley/models"
)

// tried is what a Connect that failed leaves for the next of the same socket.
type tried struct {
	// in says that the socket may still be in presence, where it then was since
	// came, beside at least so many others.
	in     bool
	others int
	came   time.Time
	// session was taken, and can perhaps not be taken again.
	session models.Session
	// left is since when its user was gone before it, nobody having been told.
	left time.Time
	// follows is what it has taken over.
	follows models.Vacancy
}

// Connect lets a socket in: presence, its rooms, and the backlog of what its
// user missed. Nothing that is sent to its rooms after Enter is lost: the door
// holds it back until the backlog is sent. After an error nothing is left, but
// what is kept at the door, and it can be tried again.
func (s *Service) Connect(ctx context.Context, user models.UserID, door Door) (backlog []models.Event, err error) {
	socket := door.SocketID()
	before, _ := door.Kept().(tried)
	// The order matters. Identified first, a removal from a chat that happens
	// while we look the chats up still finds the socket; in presence before the
	// look-up, so does one from a Node pod, which knows sockets only by id.
	door.Identify(user)
	came := s.now()
	here := tried{others: unknown, came: came}
	if before.in {
		s.comesAgain(socket)
		here.others, here.came, here.left = before.others, before.came, before.left
	}
	let := false
	defer func() {
		if let {
			return
		}
		if id, _, _ := door.Resumes(); here.session.UserID != "" {
			s.keepSession(context.WithoutCancel(ctx), id, here.session)
		}
		s.givesBack(context.WithoutCancel(ctx), user, here.follows)
		here.follows = models.Vacancy{}
		here.in = !s.undo(ctx, user, socket, here)
		door.Keep(here)
	}()
	arrival, err := s.Presence.Add(ctx, user, socket)
	if err != nil {
		return nil, err
	}
	here.others = max(here.others, arrival.Others)
	if !arrival.Left.IsZero() {
		here.left = arrival.Left
	}
	// Whoever was there at an earlier try may have been told of as gone since.
	comes := arrival.Others == 0 && here.left.IsZero()
	if arrival, err = s.withoutOwed(ctx, user, socket, arrival); err != nil {
		return nil, err
	}
	others := arrival.Others

	back, recovering, err := s.comeBack(ctx, user, door, arrival.Ours, before.session)
	here.session = back.session
	if err != nil {
		return nil, err
	}
	ids, err := s.enter(ctx, user, door)
	if err != nil {
		return nil, err
	}

	var had *models.Had
	if recovering {
		had = &back.had
	}
	missed, whole, err := s.welcome(ctx, user, door, ids, arrival, came, had, &here.follows)
	if err != nil {
		return nil, err
	}
	if back.exact && whole && !back.session.Over {
		door.Resume()
	}
	for _, m := range missed {
		backlog = append(backlog, models.NewMessage{Message: m})
	}
	if others == 0 {
		s.returnReceipt(user, missed)
	}
	s.Metrics.MessagesReplayed(len(missed))
	if !recovering && arrival.Ours > 0 {
		door.Later(func(ctx context.Context) []models.Event {
			return s.fromTheDead(ctx, user, door, ids, arrival.Ours, missed, came)
		})
	}
	if comes {
		s.online(user)
	}
	let = true
	return backlog, nil
}

// enter puts the socket into the rooms of its user's chats.
func (s *Service) enter(ctx context.Context, user models.UserID, door Door) ([]models.ChatID, error) {
	for {
		ids, err := s.chatIDsOf(ctx, user)
		if err != nil {
			return nil, err
		}
		if door.Enter(ids) {
			return ids, door.Hears(ctx)
		}
	}
}

func (s *Service) chatIDsOf(ctx context.Context, user models.UserID) ([]models.ChatID, error) {
	chats, err := s.Chats.ChatIDsOf(ctx, user)
	return chats[user], err
}
