package models

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// SessionID is a client's way back after its connection broke, known to that
// client alone; Socket.IO calls it pid. It outlives socket ids.
//
// It is 6 bytes of time, in Unix ms, 4 that stand for the user, and 5 of chance,
// in base64url: 20 characters, like Node's.
type SessionID string

const (
	sessionTime  = 6
	sessionUser  = sessionTime + 4
	sessionBytes = sessionUser + 5
)

// NewSessionID makes one of the user's that begins now.
func NewSessionID(user UserID, now time.Time) SessionID {
	var b [sessionBytes]byte
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(0, now.UnixMilli()))) //nolint:gosec // not negative
	copy(b[:], ms[8-sessionTime:])
	hash := sha256.Sum256([]byte(user))
	copy(b[sessionTime:sessionUser], hash[:])
	_, _ = rand.Read(b[sessionUser:]) // never fails
	return SessionID(base64.RawURLEncoding.EncodeToString(b[:]))
}

// The oldest session anybody would come back to, and how wrong clocks may be.
const (
	oldestSession = 30 * 24 * time.Hour
	clockSkew     = time.Minute
)

// ParseSessionID reads what a client of the user says. ok is false for another
// user's, and for what no Parley gave out, such as a Node server's.
func ParseSessionID(s string, user UserID, now time.Time) (id SessionID, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != sessionBytes {
		return "", false
	}
	hash := sha256.Sum256([]byte(user))
	if !bytes.Equal(b[sessionTime:sessionUser], hash[:sessionUser-sessionTime]) {
		return "", false
	}
	id = SessionID(s)
	began := id.Began()
	return id, began.After(now.Add(-oldestSession)) && began.Before(now.Add(clockSkew))
}

// Began is when the session began; zero for what is no session.
func (id SessionID) Began() time.Time {
	b, err := base64.RawURLEncoding.DecodeString(string(id))
	if err != nil || len(b) != sessionBytes {
		return time.Time{}
	}
	var ms [8]byte
	copy(ms[8-sessionTime:], b)
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:]))).UTC() //nolint:gosec // 48 bits
}
