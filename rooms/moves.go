package rooms

import (
	"context"
	"slices"
	"time"

	"parley/models"
)

const (
	// moveUsers is whose moves are looked up at a time.
	moveUsers = 1000
	// theirsMost is how many messages are read, at most, to find those that were
	// said while the user took part.
	theirsMost = 1 << 16
)

// Who takes part in a chat now may not have done so all the while. A move is noted
// before it is made: of one that was noted and not made, because the pod died or
// somebody else was quicker, nobody was told. So of several in the same direction
// the last counts, and of somebody who is in the chat a removal at the end counts
// for nothing. What changes nothing is not noted, and the time is that of the
// request: of two at once none hides what was said after the other was answered.

// moves are those of some users who take part, oldest first, by chat.
type moves map[models.ChatID]map[models.UserID][]models.Move

// movesSince looks the moves up.
func (s *Service) movesSince(ctx context.Context, since time.Time, users ...models.UserID) (moves, error) {
	all := moves{}
	for some := range slices.Chunk(users, moveUsers) {
		found, err := s.Moves.Moves(ctx, since, some...)
		if err != nil {
			return nil, err
		}
		for _, m := range found {
			of := all[m.ChatID]
			if of == nil {
				of = map[models.UserID][]models.Move{}
				all[m.ChatID] = of
			}
			known := of[m.UserID]
			if n := len(known); n > 0 && known[n-1].Added == m.Added {
				known = known[:n-1]
			}
			of[m.UserID] = append(known, m)
		}
	}
	return all, nil
}

// took says whether the user, who takes part in the chat, did when it was said.
func (m moves) took(user models.UserID, message models.Message) bool {
	known := m[message.ChatID][user]
	if n := len(known); n > 0 && !known[n-1].Added {
		known = known[:n-1]
	}
	if len(known) == 0 {
		return true
	}
	in := !known[0].Added
	for _, move := range known {
		if message.CreatedAt.After(move.At) { // nothing that follows the answer is of the same millisecond
			in = move.Added
		}
	}
	return in
}

// out are those of the users who did not take part when it was said.
func (m moves) out(message models.Message) (users []models.UserID) {
	for user := range m[message.ChatID] {
		if !m.took(user, message) {
			users = append(users, user)
		}
	}
	return users
}

// theirs is Messages.Since, of what was said while the user took part.
func (s *Service) theirs(ctx context.Context, user models.UserID, chats []models.ChatID, since time.Time, limit int) ([]models.Message, error) {
	var moves moves
	for ask := limit; ; ask *= 4 {
		messages, err := s.Messages.Since(ctx, chats, since, ask)
		if err != nil || len(messages) == 0 {
			return nil, err
		}
		if moves == nil {
			if moves, err = s.movesSince(ctx, since, user); err != nil {
				return nil, err
			}
		}
		all := len(messages) < ask || ask >= theirsMost
		messages = slices.DeleteFunc(messages, func(m models.Message) bool { return !moves.took(user, m) })
		if over := len(messages) - limit; over >= 0 || all {
			return messages[max(0, over):], nil
		}
	}
}
