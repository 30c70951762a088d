package models

import (
	"slices"
	"time"
)

// Mark is what a pod says of itself to the others; see rooms.Marks.
type Mark struct {
	// Sent is a time such that all it stamped before is handed to the others.
	Sent time.Time
	// Heard is a time such that all that any pod stamped before has reached it.
	Heard time.Time
	// Over is true of a pod that has ended: it stamps nothing any more.
	Over bool
}

// Slack is how long a message may take from its stamp to the sockets where no mark
// tells: where it comes from a pod that keeps none, a Node pod's.
const Slack = 10 * time.Second

// Identity is who a verified token speaks for.
type Identity struct {
	UserID UserID
	// ExpiresAt is when the token ends; zero when it never does.
	ExpiresAt time.Time
}

// Had is what a device has had: of all that was its user's, every message stamped
// before Heard, and Seen. What is stored may be short of one that is in doubt, and
// then that is sent again; it never has one too many.
type Had struct {
	Heard time.Time
	Seen  []MessageID
}

// Misses says whether the message is none of them.
func (h Had) Misses(m Message) bool {
	return !m.CreatedAt.Before(h.Heard) && !slices.Contains(h.Seen, m.ID)
}

// And is what a device has had that had this when it came, at that moment, and
// then what it was sent. Of what it had then, that is still told apart which it may
// have had before it was known to have had all up to there.
func (h Had) And(sent Had, came time.Time) Had {
	if sent.Heard.Before(h.Heard) {
		sent.Heard = h.Heard
	}
	if !sent.Heard.After(came.Add(ClocksDiffer)) {
		all := append(slices.Clone(h.Seen), sent.Seen...)
		sent.Seen = all[max(0, len(all)-MaxSeen):]
	}
	return sent
}

// Absence is the time a user had no socket: what was sent to their chats in it
// is sent again when they return.
type Absence struct {
	// Had is what the last device had.
	Had
	// Since is when the user's last socket was last known to be listening. It is for
	// people; what is sent again goes by Had.
	Since time.Time
	// Back is when the first device returned; zero while the user is away.
	Back time.Time
}

// HeardUpTo is what is noted for Heard.
func (a Absence) HeardUpTo() time.Time {
	if a.Heard.IsZero() {
		return a.Since.Add(-Slack)
	}
	return a.Heard
}

// MaxSeen is how many messages an Absence names at most, the newest.
const MaxSeen = 2000

// ClocksDiffer is how far the clocks of two pods may differ before what a device
// was sent can be sent to it again. Nothing is lost by it.
const ClocksDiffer = 5 * time.Second

// ClockSkew is how far ahead a clock may be that a time comes from: what is
// later is no time anybody can have noted.
const ClockSkew = time.Minute

// Plausible says whether a time that was read somewhere can be one at which
// something happened.
func Plausible(at, now time.Time) bool { return at.Unix() >= 0 && !at.After(now.Add(ClockSkew)) }

// Checked is what can be believed of an absence that was read somewhere: others
// write there too, and so did older versions. odd says that something was left
// out; ok is false where not even its beginning can be believed.
func (a Absence) Checked(now time.Time) (checked Absence, odd, ok bool) {
	if !Plausible(a.Since, now) {
		return Absence{}, true, false
	}
	checked = Absence{Since: a.Since, Back: a.Back}
	if !a.Back.IsZero() && !Plausible(a.Back, now) {
		// They did come back, and not later than now.
		checked.Back, odd = now, true
	}
	var oddHad bool
	checked.Had, oddHad = a.checked(now, a.Since)
	return checked, odd || oddHad, true
}

// checked is what can be believed of it. Versions before noted no more than since
// when the device was not listening.
func (h Had) checked(now, since time.Time) (checked Had, odd bool) {
	if !h.Heard.IsZero() && !Plausible(h.Heard, now) {
		h.Heard, odd = time.Time{}, true
	}
	checked.Heard = Absence{Had: h, Since: since}.HeardUpTo()
	checked.Seen, odd = checkedIDs(h.Seen, odd)
	return checked, odd
}

func checkedIDs(ids []MessageID, odd bool) ([]MessageID, bool) {
	if over := len(ids) - MaxSeen; over > 0 {
		ids, odd = ids[over:], true
	}
	var good []MessageID
	for _, id := range ids {
		if id, ok := ParseMessageID(string(id)); ok {
			good = append(good, id)
			continue
		}
		odd = true
	}
	return good, odd
}

// Arrival is what presence knew of a user at the moment a socket of theirs came.
type Arrival struct {
	Others int // other sockets that counted, whoever serves them
	// Ours are those of them in a Parley pod's books: when they leave, it is noted
	// what they had. A Node pod's, or what a dead one left behind, notes nothing.
	Ours int
	// Absence is the note on the user; Noted says whether there was one.
	Absence Absence
	Noted   bool
	// Left is when the last of theirs left, where nobody has been told of that;
	// else, and beside others, zero.
	Left time.Time
}

// Untold is a user who has left and of whom nobody has been told.
type Untold struct {
	UserID UserID
	Left   time.Time
}

// Departure is one socket leaving for good.
type Departure struct {
	UserID   UserID
	SocketID SocketID
	// At is when the socket was last known to be listening.
	At     time.Time
	Reason string
	// Had is what it was sent until then.
	Had
	// Pod is which had it, where that has died; it left no word then.
	Pod string
	// Welcomed is false where it left before its backlog was sent.
	Welcomed bool
	// Unserved is true where it left while it was still looked up what it had
	// missed: what others have noted of the user is not to be taken for old.
	Unserved bool
	// Deliberate is true where it did not break: its client, or a server, ended it.
	Deliberate bool
	// Session is how its client may come back to where it was; empty for none.
	Session SessionID
	// Sent is what it was sent, read or not, in that order; see Session.
	Sent     []Delivery
	Backlog  int
	SentFrom time.Time
	Unread   int
}

// Delivery is a message on its way to one socket.
type Delivery struct {
	ID MessageID
	At time.Time
}

// Stranger is a socket id in a user's set that is in no Parley pod's books and
// that no pod has answered for, for so long that it was taken out.
type Stranger struct {
	UserID   UserID
	SocketID SocketID
	// Answered is when a pod last said that it has the socket; zero for never.
	Answered time.Time
}

// Session is what is remembered of a socket that left, in case its client comes
// back and says which message was the last it read.
type Session struct {
	UserID UserID
	// Over is true where the socket was ended deliberately: its client may still
	// be sent what it missed, but it begins anew.
	Over bool
	// Before is what its client had when that socket connected, which was at Came.
	Before Had
	Came   time.Time
	// Sent is what that socket was sent, in that order. The first Backlog of it
	// are from before its time, with the times they were stored; of the others,
	// all since From are there, or simply all where that is zero.
	Sent    []Delivery
	Backlog int
	From    time.Time
	// Unread is how many of Sent, from the first that is not known to have reached
	// the client, it cannot be taken to have read.
	Unread int
}

// MaxSent is how many messages a Session names at most, the newest.
const MaxSent = 10 * MaxSeen

// Checked is what can be believed of a session that was read somewhere; see
// Absence.Checked.
func (s Session) Checked(now time.Time) (checked Session, odd, ok bool) {
	if s.UserID, ok = ParseUserID(string(s.UserID)); !ok {
		return Session{}, true, false
	}
	if s.Before, odd = s.Before.checked(now, s.Came); !Plausible(s.Came, now) || s.Backlog < 0 || s.Backlog > len(s.Sent) || len(s.Sent) > MaxSent ||
		s.Unread < 0 || s.Unread > len(s.Sent) {
		return Session{}, true, false
	}
	var sent []Delivery
	backlog, unread := 0, 0
	for i, d := range s.Sent {
		id, known := ParseMessageID(string(d.ID))
		if !known || !Plausible(d.At, now) {
			odd = true
			continue
		}
		if i < s.Backlog {
			backlog++
		}
		if i >= len(s.Sent)-s.Unread {
			unread++
		}
		sent = append(sent, Delivery{ID: id, At: d.At})
	}
	s.Sent, s.Backlog, s.Unread = sent, backlog, unread
	if !s.From.IsZero() && !Plausible(s.From, now) {
		s.From, odd = now, true // nothing before it is known to be all
	}
	return s, odd, true
}

// Presence is what others may know of a user.
type Presence struct {
	UserID   UserID
	Sockets  int
	LastSeen time.Time // zero when never seen or online now
}
