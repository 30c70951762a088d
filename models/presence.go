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

// Arrival is what presence knew of a user at the moment a socket of theirs came.
type Arrival struct {
	Others int // other sockets that counted
	// Absence is the note on the user; Noted says whether there was one.
	Absence Absence
	Noted   bool
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
	// Deliberate is true where it did not break: its client, or a server, ended it.
	Deliberate bool
	// Session is how its client may come back to where it was; empty for none.
	Session SessionID
	// Sent is what it was sent, read or not, in that order; see Session.
	Sent     []Delivery
	Backlog  int
	SentFrom time.Time
}

// Delivery is a message on its way to one socket.
type Delivery struct {
	ID MessageID
	At time.Time
}

// Session is what is remembered of a socket that left, in case its client comes
// back and says which message was the last it read.
type Session struct {
	UserID UserID
	// Over is true where the socket was ended deliberately: its client may still
	// be sent what it missed, but it begins anew.
	Over bool
	// Before is what its client had when that socket connected.
	Before Absence
	// Sent is what that socket was sent, in that order. The first Backlog of it
	// are from before its time, with the times they were stored; of the others,
	// all since From are there, or simply all where that is zero.
	Sent    []Delivery
	Backlog int
	From    time.Time
}

// Presence is what others may know of a user.
type Presence struct {
	UserID   UserID
	Sockets  int
	LastSeen time.Time // zero when never seen or online now
}
