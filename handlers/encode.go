package handlers

import (
	"time"

	"parley/models"
)

// timestamp prints a time as JavaScript's Date does: three fractional digits
// and Z, always.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// messageJSON is the stored document as Mongoose would print it.
func messageJSON(m models.Message) map[string]any {
	j := map[string]any{
		"_id":       string(m.ID),
		"chatId":    string(m.ChatID),
		"senderId":  string(m.SenderID),
		"type":      string(m.Type),
		"createdAt": timestamp(m.CreatedAt),
		"updatedAt": timestamp(m.UpdatedAt),
	}
	if m.IsFile() {
		j["fileUrl"] = m.FileURL
	} else {
		j["textMessage"] = m.Text
	}
	return j
}

func messagesJSON(messages []models.Message) []any {
	list := make([]any, len(messages))
	for i, m := range messages {
		list[i] = messageJSON(m)
	}
	return list
}

func chatJSON(c models.Chat) map[string]any {
	participants := make([]any, len(c.Participants))
	for i, u := range c.Participants {
		participants[i] = string(u)
	}
	j := map[string]any{
		"_id":          string(c.ID),
		"participants": participants,
		"createdAt":    timestamp(c.CreatedAt),
		"updatedAt":    timestamp(c.UpdatedAt),
	}
	if c.Name != "" {
		j["name"] = c.Name
	}
	if c.LastMessage != nil {
		j["lastMessage"] = messageJSON(*c.LastMessage)
	}
	return j
}

// newMessage is the name of the one event the original system has.
const newMessage = "new_message"

// EncodeEvent gives an event its name and its JSON shape. Maps, not structs:
// what goes to other pods must read the same there.
func EncodeEvent(event models.Event) (name string, payload map[string]any) {
	switch e := event.(type) {
	case models.NewMessage:
		return newMessage, newMessageJSON(e.Message)
	case models.UserOnline:
		return "user_online", map[string]any{"userId": string(e.UserID)}
	case models.UserOffline:
		return "user_offline", map[string]any{"userId": string(e.UserID), "lastSeen": timestamp(e.LastSeen)}
	case models.MessageDelivered:
		return "message_delivered", map[string]any{
			"messageId": string(e.MessageID), "chatId": string(e.ChatID), "userId": string(e.UserID), "at": timestamp(e.At),
		}
	case models.MessageRead:
		return "message_read", map[string]any{
			"chatId": string(e.ChatID), "userId": string(e.UserID), "messageId": string(e.MessageID), "at": timestamp(e.At),
		}
	case models.Typing:
		return "typing", map[string]any{"chatId": string(e.ChatID), "userId": string(e.UserID), "isTyping": e.IsTyping}
	case models.ChatJoined:
		return "chat_joined", map[string]any{"chat": chatJSON(e.Chat)}
	case models.ChatLeft:
		return "chat_left", map[string]any{"chatId": string(e.ChatID)}
	}
	return "", nil
}

// newMessageJSON is fixed to the letter: exactly five keys for a text; a file
// has no content, and type and fileUrl instead, without which nothing could be
// shown.
func newMessageJSON(m models.Message) map[string]any {
	j := map[string]any{
		"_id":       string(m.ID),
		"chatId":    string(m.ChatID),
		"senderId":  string(m.SenderID),
		"createdAt": timestamp(m.CreatedAt),
	}
	if m.IsFile() {
		j["type"], j["fileUrl"] = string(m.Type), m.FileURL
	} else {
		j["content"] = m.Text
	}
	return j
}

// MessageIDOf recognises a new_message, whichever pod sent it.
func MessageIDOf(event string, args []any) (models.MessageID, bool) {
	if event != newMessage || len(args) == 0 {
		return "", false
	}
	payload, ok := args[0].(map[string]any)
	if !ok {
		return "", false
	}
	id, ok := payload["_id"].(string)
	return models.MessageID(id), ok && id != ""
}
