package handlers

import (
	"fmt"
	"time"

	"parley/models"
)

// lastDate is the last instant, and its opposite the first, a JavaScript Date
// can hold, in Unix ms.
const lastDate = 8.64e15

// timestamp prints a time as JavaScript's Date does: three fractional digits
// and Z, always; a year beyond four digits with a sign and six. Others' documents
// may say any time: one no Date can hold is the nearest one can.
func timestamp(t time.Time) string {
	t = time.UnixMilli(max(-lastDate, min(lastDate, t.UnixMilli()))).UTC()
	if year := t.Year(); year < 0 || year > 9999 {
		return fmt.Sprintf("%+07d%s", year, t.Format("-01-02T15:04:05.000Z"))
	}
	return t.Format("2006-01-02T15:04:05.000Z")
}

// What is sent are structs: their keys come in the order in which Node writes
// them.

// messageJSON is the stored document as Mongoose would print it.
type messageJSON struct {
	ID          models.MessageID   `json:"_id"`
	ChatID      models.ChatID      `json:"chatId"`
	SenderID    models.UserID      `json:"senderId"`
	Type        models.MessageType `json:"type"`
	TextMessage *string            `json:"textMessage,omitempty"`
	FileURL     *string            `json:"fileUrl,omitempty"`
	CreatedAt   string             `json:"createdAt"`
	UpdatedAt   string             `json:"updatedAt"`
}

func messageOf(m models.Message) messageJSON {
	j := messageJSON{
		ID: m.ID, ChatID: m.ChatID, SenderID: m.SenderID, Type: m.Type,
		CreatedAt: timestamp(m.CreatedAt), UpdatedAt: timestamp(m.UpdatedAt),
	}
	if m.IsFile() {
		j.FileURL = &m.FileURL
	} else {
		j.TextMessage = &m.Text
	}
	return j
}

func messagesOf(messages []models.Message) []messageJSON {
	list := make([]messageJSON, len(messages))
	for i, m := range messages {
		list[i] = messageOf(m)
	}
	return list
}

// postedJSON is what a post has stored.
type postedJSON struct {
	Messages []messageJSON `json:"messages"`
}

type chatJSON struct {
	ID           models.ChatID   `json:"_id"`
	Participants []models.UserID `json:"participants"`
	Name         string          `json:"name,omitempty"`
	CreatedAt    string          `json:"createdAt"`
	UpdatedAt    string          `json:"updatedAt"`
	LastMessage  *messageJSON    `json:"lastMessage,omitempty"`
}

func chatOf(c models.Chat) chatJSON {
	j := chatJSON{
		ID: c.ID, Participants: append([]models.UserID{}, c.Participants...), Name: c.Name,
		CreatedAt: timestamp(c.CreatedAt), UpdatedAt: timestamp(c.UpdatedAt),
	}
	if c.LastMessage != nil {
		last := messageOf(*c.LastMessage)
		j.LastMessage = &last
	}
	return j
}

// chatsJSON is a page of a user's chats.
type chatsJSON struct {
	Chats []chatJSON     `json:"chats"`
	Next  *models.ChatID `json:"next,omitempty"`
}

// historyJSON is a page of a chat's history.
type historyJSON struct {
	Messages []messageJSON     `json:"messages"`
	Next     *models.MessageID `json:"next"`
}

type presenceJSON struct {
	UserID   models.UserID `json:"userId"`
	IsOnline bool          `json:"isOnline"`
	Sockets  int           `json:"sockets"`
	LastSeen *string       `json:"lastSeen"`
}

func presenceOf(p models.Presence) presenceJSON {
	j := presenceJSON{UserID: p.UserID, IsOnline: p.Sockets > 0, Sockets: p.Sockets}
	if !p.LastSeen.IsZero() {
		at := timestamp(p.LastSeen)
		j.LastSeen = &at
	}
	return j
}

// newMessage is the name of the one event the original system has.
const newMessage = "new_message"

// newMessageJSON is fixed to the letter: exactly five keys for a text; a file
// has no content, and type and fileUrl instead, without which nothing could be
// shown.
type newMessageJSON struct {
	ID        models.MessageID   `json:"_id"`
	ChatID    models.ChatID      `json:"chatId"`
	SenderID  models.UserID      `json:"senderId"`
	Content   *string            `json:"content,omitempty"`
	Type      models.MessageType `json:"type,omitempty"`
	FileURL   string             `json:"fileUrl,omitempty"`
	CreatedAt string             `json:"createdAt"`
}

func newMessageOf(m models.Message) newMessageJSON {
	j := newMessageJSON{ID: m.ID, ChatID: m.ChatID, SenderID: m.SenderID, CreatedAt: timestamp(m.CreatedAt)}
	if m.IsFile() {
		j.Type, j.FileURL = m.Type, m.FileURL
	} else {
		j.Content = &m.Text
	}
	return j
}

// userOnlineJSON and the others below are Parley's own events.
type userOnlineJSON struct {
	UserID models.UserID `json:"userId"`
}

type userOfflineJSON struct {
	UserID   models.UserID `json:"userId"`
	LastSeen string        `json:"lastSeen"`
}

// messageDeliveredJSON names its one recipient by userId too, as it was when
// there was an event for each.
type messageDeliveredJSON struct {
	MessageID models.MessageID `json:"messageId"`
	ChatID    models.ChatID    `json:"chatId"`
	UserID    models.UserID    `json:"userId,omitempty"`
	UserIDs   []models.UserID  `json:"userIds"`
	At        string           `json:"at"`
}

func messageDeliveredOf(e models.MessageDelivered) messageDeliveredJSON {
	j := messageDeliveredJSON{MessageID: e.MessageID, ChatID: e.ChatID, UserIDs: e.UserIDs, At: timestamp(e.At)}
	if len(e.UserIDs) == 1 {
		j.UserID = e.UserIDs[0]
	}
	return j
}

type messageReadJSON struct {
	ChatID    models.ChatID    `json:"chatId"`
	UserID    models.UserID    `json:"userId"`
	MessageID models.MessageID `json:"messageId"`
	At        string           `json:"at"`
}

type typingJSON struct {
	ChatID   models.ChatID `json:"chatId"`
	UserID   models.UserID `json:"userId"`
	IsTyping bool          `json:"isTyping"`
}

type chatJoinedJSON struct {
	Chat chatJSON `json:"chat"`
}

type chatLeftJSON struct {
	ChatID models.ChatID `json:"chatId"`
}

// EncodeEvent gives an event its name and its JSON shape.
func EncodeEvent(event models.Event) (name string, payload any) {
	switch e := event.(type) {
	case models.NewMessage:
		return newMessage, newMessageOf(e.Message)
	case models.UserOnline:
		return "user_online", userOnlineJSON{e.UserID}
	case models.UserOffline:
		return "user_offline", userOfflineJSON{e.UserID, timestamp(e.LastSeen)}
	case models.MessageDelivered:
		return "message_delivered", messageDeliveredOf(e)
	case models.MessageRead:
		return "message_read", messageReadJSON{e.ChatID, e.UserID, e.MessageID, timestamp(e.At)}
	case models.Typing:
		return "typing", typingJSON{e.ChatID, e.UserID, e.IsTyping}
	case models.ChatJoined:
		return "chat_joined", chatJoinedJSON{chatOf(e.Chat)}
	case models.ChatLeft:
		return "chat_left", chatLeftJSON{e.ChatID}
	}
	return "", nil
}

// MessageIDs recognises a new_message, whichever pod sent it, by the message it
// is of. Others may emit the event too, of what is no message: their sockets are
// sent it, but there is nothing to remember of it. odd is told of those.
func MessageIDs(odd func()) func(event string, args []any) (models.MessageID, bool) {
	return func(event string, args []any) (models.MessageID, bool) {
		if event != newMessage {
			return "", false
		}
		id, ok := messageIDIn(args)
		if !ok {
			odd()
		}
		return id, ok
	}
}

func messageIDIn(args []any) (models.MessageID, bool) {
	text, _ := fieldOf(args, "_id").(string)
	return models.ParseMessageID(text)
}

// fieldOf is a field of the first of an event's args; nil where it has none.
func fieldOf(args []any, key string) (v any) {
	if len(args) == 0 {
		return nil
	}
	switch payload := args[0].(type) {
	case map[string]any:
		return payload[key]
	case interface{ Get(key string) (any, bool) }: // whose keys keep their order
		v, _ = payload.Get(key)
	}
	return v
}

// MadeAt is when the message of a new_message was made; zero where that is not
// said, or not so that a Date could be read of it.
func MadeAt(args []any) time.Time {
	switch at := fieldOf(args, "createdAt").(type) {
	case time.Time:
		return at
	case string:
		t, err := time.Parse(time.RFC3339, at)
		if err == nil {
			return t
		}
	}
	return time.Time{}
}
