package models

import (
	"slices"
	"time"
)

// Chat is a conversation: who takes part, and since when.
type Chat struct {
	ID           ChatID
	Name         string // empty when the chat has none
	Participants []UserID
	CreatedAt    time.Time
	UpdatedAt    time.Time
	// LastMessage is the newest message where the chat was read for a list, else nil.
	LastMessage *Message
}

// Has says whether the user takes part in the chat.
func (c Chat) Has(u UserID) bool { return slices.Contains(c.Participants, u) }

// LastActivity is when something last happened in the chat.
func (c Chat) LastActivity() time.Time {
	if c.LastMessage != nil && c.LastMessage.CreatedAt.After(c.CreatedAt) {
		return c.LastMessage.CreatedAt
	}
	return c.CreatedAt
}

// Seat is a socket's place in a chat's room: taken, or given up.
type Seat struct {
	UserID   UserID
	SocketID SocketID
	ChatID   ChatID
	Taken    bool
}

// Move is a change of who takes part in a chat, made by way of Parley.
type Move struct {
	UserID UserID
	ChatID ChatID
	Added  bool // or removed
	// At lies between the request and its answer.
	At time.Time
}
