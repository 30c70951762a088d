package models

import (
	"encoding/json"
	"errors"
	"time"
)

// sessionNote is a session as it is kept, in JSON; times are Unix µs, and those of
// Sent are the differences from one to the next.
type sessionNote struct {
	User    string   `json:"user"`
	Over    bool     `json:"over,omitempty"`
	Heard   int64    `json:"heard,omitempty"` // what versions before do not say
	Since   int64    `json:"since"`           // when it came
	Seen    []string `json:"seen,omitempty"`
	Sent    []string `json:"sent,omitempty"`
	Steps   []int64  `json:"steps,omitempty"`
	Backlog int      `json:"backlog,omitempty"`
	From    int64    `json:"from,omitempty"`
	Unread  int      `json:"unread,omitempty"`
}

// Note is the session as it is kept.
func (s Session) Note() ([]byte, error) {
	n := sessionNote{User: string(s.UserID), Over: s.Over, Since: s.Came.UnixMicro(), Backlog: s.Backlog, Unread: s.Unread}
	if !s.Before.Heard.IsZero() {
		n.Heard = s.Before.Heard.UnixMicro()
	}
	if !s.From.IsZero() {
		n.From = s.From.UnixMicro()
	}
	for _, id := range s.Before.Seen {
		n.Seen = append(n.Seen, string(id))
	}
	last := int64(0)
	for _, d := range s.Sent {
		at := d.At.UnixMicro()
		n.Sent, n.Steps = append(n.Sent, string(d.ID)), append(n.Steps, at-last)
		last = at
	}
	note, err := json.Marshal(n)
	if err != nil {
		return nil, Internal(err)
	}
	return note, nil
}

var errSession = errors.New("a session cannot be read")

// SessionFrom reads a Note, of which only what can be believed is left; odd says
// that something else was there. After an error there is nothing.
func SessionFrom(note []byte, now time.Time) (s Session, odd bool, err error) {
	var n sessionNote
	if err := json.Unmarshal(note, &n); err != nil || len(n.Sent) != len(n.Steps) {
		return Session{}, true, errors.Join(errSession, err)
	}
	s = Session{UserID: UserID(n.User), Over: n.Over, Backlog: n.Backlog, Unread: n.Unread, Came: time.UnixMicro(n.Since).UTC()}
	if n.Heard != 0 {
		s.Before.Heard = time.UnixMicro(n.Heard).UTC()
	}
	if n.From != 0 {
		s.From = time.UnixMicro(n.From).UTC()
	}
	for _, id := range n.Seen {
		s.Before.Seen = append(s.Before.Seen, MessageID(id))
	}
	at := int64(0)
	for i, id := range n.Sent {
		at += n.Steps[i]
		s.Sent = append(s.Sent, Delivery{ID: MessageID(id), At: time.UnixMicro(at).UTC()})
	}
	s, odd, ok := s.Checked(now)
	if !ok {
		return Session{}, true, errSession
	}
	return s, odd, nil
}
