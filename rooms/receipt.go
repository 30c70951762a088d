package rooms

import (
	"context"
	"slices"

	"parley/models"
)

// receiptQueue bounds how many receipts may wait; they are a courtesy, so what
// does not fit is dropped and counted.
const receiptQueue = 4096

// sent is what a receipt says of a message.
type sent struct {
	id     models.MessageID
	chat   models.ChatID
	sender models.UserID
}

func sentOf(m models.Message) sent { return sent{id: m.ID, chat: m.ChatID, sender: m.SenderID} }

// receipt is messages whose senders are to be told who was reached.
type receipt struct {
	messages []sent
	// to is who came back for them; empty means everybody in the chat who is
	// online now.
	to models.UserID
	// participants are those of the chat, nil where nobody has looked.
	participants []models.UserID
}

func (s *Service) receipt(r receipt) {
	select {
	case s.receipts <- r:
	default:
		s.Metrics.Dropped("receipt_queue_full")
	}
}

// returnReceipt is for messages the user came back for.
func (s *Service) returnReceipt(user models.UserID, missed []models.Message) {
	r := receipt{to: user}
	for _, m := range missed {
		if m.SenderID != user {
			r.messages = append(r.messages, sentOf(m))
		}
	}
	if len(r.messages) > 0 {
		s.receipt(r)
	}
}

// deliver tells the senders, once of each message, whoever was reached. A failure
// costs a courtesy, not a message, so it is counted and forgotten.
func (s *Service) deliver(ctx context.Context, receipts []receipt) {
	online := s.onlineIn(ctx, s.chatsOf(ctx, receipts))
	type conversation struct { // what a sender says in a chat reaches the same users
		chat   models.ChatID
		sender models.UserID
	}
	others := map[conversation][]models.UserID{}
	told := map[models.MessageID]int{}
	var notices []models.Notice
	for _, r := range receipts {
		for _, m := range r.messages {
			reached := []models.UserID{r.to}
			if r.to == "" {
				c := conversation{m.chat, m.sender}
				if _, known := others[c]; !known {
					others[c] = without(online[m.chat], m.sender)
				}
				reached = others[c]
			}
			if len(reached) == 0 {
				continue
			}
			at, again := told[m.id]
			if again {
				e, _ := notices[at].Event.(models.MessageDelivered)
				e.UserIDs = append(e.UserIDs, without(reached, e.UserIDs...)...)
				notices[at].Event = e
				continue
			}
			told[m.id] = len(notices)
			notices = append(notices, models.Notice{
				To:    models.Audience{Users: []models.UserID{m.sender}},
				Event: models.MessageDelivered{MessageID: m.id, ChatID: m.chat, UserIDs: slices.Clip(reached), At: s.now()},
			})
		}
	}
	s.Hub.EmitEach(notices)
}

func without(users []models.UserID, except ...models.UserID) []models.UserID {
	rest := make([]models.UserID, 0, len(users))
	for _, u := range users {
		if !slices.Contains(except, u) {
			rest = append(rest, u)
		}
	}
	return rest
}

// chatsOf are the participants of each chat the receipts ask about.
func (s *Service) chatsOf(ctx context.Context, receipts []receipt) map[models.ChatID][]models.UserID {
	chats := map[models.ChatID][]models.UserID{}
	for _, r := range receipts {
		if r.to != "" || len(r.messages) == 0 {
			continue
		}
		id := r.messages[0].chat
		if r.participants == nil && chats[id] == nil {
			chat, found, err := s.Chats.Chat(ctx, id)
			if err != nil || !found {
				s.Metrics.Dropped("receipt_failed")
				continue
			}
			r.participants = chat.Participants
		}
		if r.participants != nil {
			chats[id] = r.participants // the newest
		}
	}
	return chats
}

// onlineIn says who of each chat is online. This pod's own are known; where the
// others cannot be asked about, they are not told of.
func (s *Service) onlineIn(ctx context.Context, chats map[models.ChatID][]models.UserID) map[models.ChatID][]models.UserID {
	s.lookout.turn(s.Now())
	online := make(map[models.ChatID][]models.UserID, len(chats))
	elsewhere := map[models.ChatID][]models.UserID{}
	asked := map[models.UserID]bool{}
	var ask []models.UserID
	for id, users := range chats {
		there := make([]models.UserID, 0, len(users))
		for i, here := range s.Hub.Here(users) {
			switch u := users[i]; {
			case here || s.lookout.saw(u):
				there = append(there, u)
			default:
				elsewhere[id] = append(elsewhere[id], u)
				if !asked[u] {
					asked[u], ask = true, append(ask, u)
				}
			}
		}
		online[id] = there
	}
	if len(ask) == 0 {
		return online
	}
	found, err := s.Presence.Online(ctx, ask)
	if err != nil {
		s.Metrics.Dropped("receipt_failed")
		return online
	}
	for id, users := range elsewhere {
		for _, u := range users {
			if found[u] {
				s.lookout.sees(u)
				online[id] = append(online[id], u)
			}
		}
	}
	return online
}
