package models

import "time"

// Event is something a client is told about. Handlers give each its name and
// its JSON shape; see handlers.EncodeEvent.
type Event interface{ event() }

// NewMessage says that a message was stored.
type NewMessage struct{ Message Message }

// UserOnline says that a user got a first socket.
type UserOnline struct{ UserID UserID }

// UserOffline says that a user lost the last socket.
type UserOffline struct {
	UserID   UserID
	LastSeen time.Time
}

// MessageDelivered tells a sender whose sockets were sent the message.
type MessageDelivered struct {
	MessageID MessageID
	ChatID    ChatID
	UserIDs   []UserID
	At        time.Time
}

// MessageRead says how far a user has read a chat.
type MessageRead struct {
	ChatID    ChatID
	UserID    UserID
	MessageID MessageID
	At        time.Time
}

// Typing says that a user started or stopped typing.
type Typing struct {
	ChatID   ChatID
	UserID   UserID
	IsTyping bool
}

// ChatJoined tells a user about a chat they now take part in.
type ChatJoined struct{ Chat Chat }

// ChatLeft tells a user about a chat they no longer take part in.
type ChatLeft struct{ ChatID ChatID }

func (NewMessage) event()       {}
func (UserOnline) event()       {}
func (UserOffline) event()      {}
func (MessageDelivered) event() {}
func (MessageRead) event()      {}
func (Typing) event()           {}
func (ChatJoined) event()       {}
func (ChatLeft) event()         {}

// Audience says who is told: everybody in any of the chats, every socket of the
// users, and the sockets named, each socket once, less the exceptions.
type Audience struct {
	Chats         []ChatID
	Users         []UserID
	Sockets       []SocketID
	ExceptUsers   []UserID
	ExceptSockets []SocketID
	// Only, where it is not nil, are those of this pod's users who are told; what the
	// other pods' are told does not depend on it.
	Only []UserID
}

// Notice is an event and who is told it.
type Notice struct {
	To    Audience
	Event Event
}
