package models

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"time"
)

// SessionID is a client's way back after its connection broke, known to that
// client alone; Socket.IO calls it pid. It outlives socket ids.
//
// It is 6 bytes of time, in Unix ms, such that its client had all that was stamped
// before then, 4 that stand for the user, and 5 of chance,
// in base64url: 20 characters, like Node's.
type SessionID string

const (
	sessionTime  = 6
	sessionUser  = sessionTime + 4
	sessionBytes = sessionUser + 5
)

// NewSessionID makes one of the user's, whose client has all from before heard.
func NewSessionID(user UserID, heard time.Time) SessionID {
	var b [sessionBytes]byte
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(0, heard.UnixMilli()))) //nolint:gosec // not negative
	copy(b[:], ms[8-sessionTime:])
	hash := sha256.Sum256([]byte(user))
	copy(b[sessionTime:sessionUser], hash[:])
	_, _ = rand.Read(b[sessionUser:]) // never fails
	return SessionID(base64.RawURLEncoding.EncodeToString(b[:]))
}

// OldestSession is how old the time of a session may be that anybody comes back to.
const OldestSession = 30 * 24 * time.Hour

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
	return id, began.After(now.Add(-OldestSession)) && began.Before(now.Add(ClockSkew))
}

// Began is a time such that its client had all that was stamped before when the
// session began; zero for what is no session.
func (id SessionID) Began() time.Time {
	b, err := base64.RawURLEncoding.DecodeString(string(id))
	if err != nil || len(b) != sessionBytes {
		return time.Time{}
	}
	var ms [8]byte
	copy(ms[8-sessionTime:], b)
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:]))).UTC() //nolint:gosec // 48 bits
}

// Offset is how a client says how far it got: the last message it was sent, and a
// time such that it had all that was stamped before when it was.
type Offset struct {
	ID    MessageID
	Heard time.Time // zero where that is not known, as in versions before
}

// offsetBase is that of the time in an offset, in Unix ms.
const offsetBase = 36

// String is what clients are told: <id>.<heard>, or the id alone.
func (o Offset) String() string {
	if o.Heard.IsZero() {
		return string(o.ID)
	}
	return string(o.ID) + "." + strconv.FormatInt(o.Heard.UnixMilli(), offsetBase)
}

// ParseOffset reads what a client says; ok is false for what no Parley has told it.
func ParseOffset(s string, now time.Time) (o Offset, ok bool) {
	id, heard, timed := strings.Cut(s, ".")
	if o.ID, ok = ParseMessageID(id); !ok || !timed {
		return o, ok
	}
	ms, err := strconv.ParseInt(heard, offsetBase, 64)
	if err != nil || ms <= 0 || !Plausible(time.UnixMilli(ms), now) {
		return Offset{}, false
	}
	o.Heard = time.UnixMilli(ms).UTC()
	return o, true
}
