package models

import "time"

// MessageType says what a message carries.
type MessageType string

// The four types a message can have.
const (
	Text  MessageType = "text"
	Image MessageType = "image"
	Video MessageType = "video"
	Audio MessageType = "audio"
)

// Message is one stored message: a text or a file, never both.
type Message struct {
	ID        MessageID
	ChatID    ChatID
	SenderID  UserID
	Type      MessageType
	Text      string // set for a text message
	FileURL   string // set for a file message
	CreatedAt time.Time
	UpdatedAt time.Time
}

// IsFile says whether the message carries a file rather than a text.
func (m Message) IsFile() bool { return m.FileURL != "" }

// Upload is a file that was received in full and is held on this pod until
// somebody keeps it or throws it away.
type Upload struct {
	Name string // as the client called it; never used as a path
	MIME string // what the content is; what the client said where Declared
	Type MessageType
	Size int64
	// Declared says that nobody knows the content, and MIME and Type are the
	// client's word for it.
	Declared bool
	// Either says that the content may be audio or video and that neither its
	// bytes nor the declared MIME type tell. Type is a guess then, and whoever
	// knows better sets it.
	Either bool
	// Path is where the received bytes lie.
	Path string
	// Discard removes the held bytes; it may be called more than once.
	Discard func()
}

// Draft is what somebody wants to send, before anything of it is stored.
type Draft struct {
	ChatID         ChatID
	SenderID       UserID
	Text           string
	Files          []Upload
	IdempotencyKey string // empty when the client gave none
}

// Request remembers what an Idempotency-Key stands for.
type Request struct {
	Key       string // digest of sender and key
	Messages  []Message
	Done      bool
	ClaimedAt time.Time
}

// ChatPage selects a part of a user's chats, newest activity first.
type ChatPage struct {
	Before ChatID // only those that follow this one, when set
	Limit  int
}

// Page selects a part of a chat's history, newest first.
type Page struct {
	Before MessageID // only older ones, when set
	After  MessageID // only newer ones, when set
	Limit  int
}
