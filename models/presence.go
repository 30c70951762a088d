package models

import "time"

// Identity is who a verified token speaks for.
type Identity struct {
	UserID UserID
	// ExpiresAt is when the token ends; zero when it never does.
	ExpiresAt time.Time
}

// Absence is the time a user had no socket: what was sent to their chats in it
// is sent again when they return.
type Absence struct {
	// Since is when the user's last socket was last known to be listening.
	Since time.Time
	// Seen are the messages that socket was sent shortly before Since. Stored
	// and emitted are two moments; Seen tells on which side of the break a
	// message between them fell.
	Seen []MessageID
	// Back is when the first device returned; zero while the user is away.
	Back time.Time
}

// Departure is one socket leaving for good.
type Departure struct {
	UserID   UserID
	SocketID SocketID
	// At is when the socket was last known to be listening.
	At     time.Time
	Reason string
	// Seen are the messages it was sent in the last seconds before At.
	Seen []MessageID
	// Welcomed is false where it left before its backlog was sent.
	Welcomed bool
}

// Presence is what others may know of a user.
type Presence struct {
	UserID   UserID
	Sockets  int
	LastSeen time.Time // zero when never seen or online now
}
