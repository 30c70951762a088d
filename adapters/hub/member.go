package hub

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	sio "github.com/zishang520/socket.io/servers/socket/v3"

	"parley/models"
)

// phase is how far a socket has come.
type phase int

const (
	atDoor   phase = iota // OnConnect is running
	admitted              // OnConnect succeeded; from here on it leaves by OnDisconnect
	live                  // connect and the backlog were sent
	gone
)

// member is one socket of this pod, from its CONNECT until it has left.
type member struct {
	server *Server
	link   *link
	socket *sio.Socket
	id     string
	ctx    context.Context // ends when it leaves
	cancel context.CancelFunc
	face   *Socket
	// offsets says that its client can tell how far it got when it comes back.
	offsets bool

	// Guarded by index.mu.
	phase phase
	rooms map[string]time.Time // since when
	user  models.UserID
	// session is how its client may come back; empty where it may not.
	session models.SessionID
	// left are the rooms it was told to leave since it was identified and before
	// it entered.
	left map[string]struct{}
	// entered is set by Enter; stale by Reseat for one that may have looked its
	// chats up while joins and leaves were not heard.
	entered, stale bool
	// moved are the rooms it joined or left while Reseat looks; nil otherwise.
	moved map[string]struct{}
	// seated are the chats Reseat has put it into, each with what was retold to it
	// there since; nil again once that is over.
	seated map[string]map[models.MessageID]struct{}
	// hasSince and has are what its client had when it came, for Retell.
	hasSince time.Time
	has      map[models.MessageID]struct{}
	// retold are messages that went to its room before it was there, and to it later.
	retold []sentAt

	// let is set once it was let in, known closed once the library, too, knows
	// whose the connection is.
	let   atomic.Bool
	known chan struct{}

	disconnected atomic.Pointer[string]    // the library's reason
	kicked       atomic.Int32              // told to go while at the door
	expires      atomic.Pointer[time.Time] // nil for never; a time, as a number of it may wrap

	mu      sync.Mutex // guards the rest; taken inside index.mu, never around it
	gated   bool
	welcome []*frame // the backlog, until it is released
	out     []*frame
	bytes   int
	writing bool
	closed  bool
	backlog map[models.MessageID]struct{}
	given   []models.Delivery // the backlog in its order, while it is of use
	quiet   time.Time         // until when what was in the backlog is not sent live

	events  []func(context.Context)
	working bool
}

// push queues a frame in the order of calls; it returns whether the caller
// should flush the member.
func (m *member) push(f *frame, now time.Time) (queued, flush bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false, false
	}
	if f.id != "" && m.backlog != nil {
		if _, sent := m.backlog[f.id]; sent && now.Before(m.quiet) {
			return false, false
		}
	}
	if !m.gated {
		m.out = append(m.out, f)
		return true, true
	}
	if f.volatile {
		return false, false
	}
	f.encode()
	if len(m.out) >= m.server.opts.MaxHeld || m.bytes+f.weight(m.offsets) > m.server.opts.MaxBacklogBytes {
		m.link.cut(cutDoorOverflow)
		return false, false
	}
	m.out = append(m.out, f)
	m.bytes += f.weight(m.offsets)
	return true, false
}

// flush writes what is queued. One goroutine writes for a member at a time: the
// others leave their frames to it, so the order of pushes is kept.
func (m *member) flush() {
	for {
		m.mu.Lock()
		if m.writing || m.gated || m.closed || len(m.out) == 0 {
			m.mu.Unlock()
			return
		}
		m.writing = true
		batch := m.out
		m.out = nil
		m.link.expect(batch, m.offsets)
		m.mu.Unlock()
		for _, f := range batch {
			f.write(m.socket.Client(), m.offsets)
		}
		m.mu.Lock()
		m.writing = false
		m.mu.Unlock()
	}
}

// release opens the gate: first the backlog, then what was held back less what
// the backlog had, then whatever comes.
func (m *member) release(now time.Time) {
	m.mu.Lock()
	backlog := m.welcome
	var size int64
	ids := make(map[models.MessageID]struct{}, len(backlog))
	for _, f := range backlog {
		size += int64(f.weight(m.offsets))
		if f.id != "" {
			ids[f.id] = struct{}{}
			m.given = append(m.given, models.Delivery{ID: f.id, At: f.at})
		}
	}
	m.link.grant(size)
	out := append(make([]*frame, 0, len(backlog)+len(m.out)), backlog...)
	for _, f := range m.out {
		if _, sent := ids[f.id]; !sent || f.id == "" {
			out = append(out, f)
		}
	}
	m.out, m.welcome, m.bytes, m.gated = out, nil, 0, false
	if len(ids) > 0 {
		m.backlog, m.quiet = ids, now.Add(backlogQuiet)
	}
	m.mu.Unlock()
	m.flush()
}

// forget drops the backlog's ids once they are no longer needed.
func (m *member) forget(now time.Time) {
	m.mu.Lock()
	if m.backlog != nil && !now.Before(m.quiet) {
		m.backlog = nil
		m.given = slices.Clone(m.given[max(0, len(m.given)-maxGiven):])
	}
	m.mu.Unlock()
}
