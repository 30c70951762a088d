package models

import (
	"strconv"
	"strings"
	"time"
)

// UserID names a user as the token's userId claim does: 24 hex digits for an
// application that uses ObjectIds, any other short string for one that does not.
type UserID string

// ChatID is the _id of a chat, 24 lower-case hex digits. It is also the name of
// the chat's Socket.IO room, which is why it has one canonical spelling.
type ChatID string

// MessageID is the _id of a message, 24 lower-case hex digits.
type MessageID string

// SocketID is the id a Socket.IO client sees as socket.id. It is never the
// Engine.IO session id, which is a secret of that connection.
type SocketID string

// MaxUserIDBytes bounds a user id: it becomes part of Redis keys and of rooms.
const MaxUserIDBytes = 128

// ParseChatID returns the canonical id for 24 hex digits in either case.
func ParseChatID(s string) (ChatID, bool) {
	if !isHex24(s) {
		return "", false
	}
	return ChatID(strings.ToLower(s)), true
}

// Time is when the id was made, to the second; zero where it is none.
func (id ChatID) Time() time.Time {
	if !isHex24(string(id)) {
		return time.Time{}
	}
	seconds, err := strconv.ParseInt(string(id[:8]), 16, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// ParseMessageID returns the canonical id for 24 hex digits in either case.
func ParseMessageID(s string) (MessageID, bool) {
	if !isHex24(s) {
		return "", false
	}
	return MessageID(strings.ToLower(s)), true
}

// ParseUserID accepts what may name a user: not empty, bounded, printable. An
// id of 24 hex digits is an ObjectId and is folded to the lower case MongoDB
// prints, so that one user never has two presence sets.
func ParseUserID(s string) (UserID, bool) {
	if s == "" || len(s) > MaxUserIDBytes {
		return "", false
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7f || r == '\uFFFD' {
			return "", false
		}
	}
	if isHex24(s) {
		s = strings.ToLower(s)
	}
	return UserID(s), true
}

// IsObjectID says whether the id is spelled like a MongoDB ObjectId.
func (id UserID) IsObjectID() bool { return isHex24(string(id)) }

func isHex24(s string) bool {
	if len(s) != 24 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}
