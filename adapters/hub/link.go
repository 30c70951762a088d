package hub

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/servers/engine/v3"
	"github.com/zishang520/socket.io/servers/engine/v3/transports"

	"parley/models"
)

// link is one connection: an Engine.IO session over whichever transport it has.
// It counts the bytes that wait for it, remembers when the client was last heard
// and ends the context of whoever works for it.
type link struct {
	server *Server
	conn   engine.Socket
	ctx    context.Context
	cancel context.CancelFunc

	heard  atomic.Int64 // unix ns of the last packet from the client
	reason atomic.Pointer[string]
	// goodbye is set once the client has sent a DISCONNECT for its socket.
	goodbye atomic.Bool

	mu      sync.Mutex
	created int64 // bytes handed to the engine
	written int64 // bytes its transport has written
	// spare is what of the welcome backlog is not written yet: it may be larger
	// than what a slow client is allowed.
	spare  int64
	unsent []mark
	// member is the socket at the door or inside; idle is since when there is none.
	member *member
	idle   time.Time
	// joined says that a socket was let in once. As in Node, the connection then
	// stays for as long as its heart beats, with a socket or without.
	joined    bool
	found     time.Time // when the sweep found it closed
	beat      heartbeat
	transport transports.Transport
}

// mark says that a new_message is written once `written` has reached end.
type mark struct {
	end int64
	id  models.MessageID
	at  time.Time
}

// writes is what our transports can do beyond the library's: tell how many
// bytes of messages were written.
type writes interface{ onWritten(func(n int64)) }

// onConnection is the engine's first listener for a new session, so that the
// link is there before the library lets anything happen on it.
func (s *Server) onConnection(args ...any) {
	conn, ok := args[0].(engine.Socket)
	if !ok {
		return
	}
	now := s.opts.Now()
	l := &link{server: s, conn: conn, idle: now, transport: conn.Transport()}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.heard.Store(now.UnixNano())

	_ = conn.On("packet", l.onPacket)
	_ = conn.On("packetCreate", l.onCreate)
	_ = conn.On("upgrade", l.onUpgrade)
	_ = conn.On("close", func(...any) { l.closed() })
	if w, ok := l.transport.(writes); ok {
		w.onWritten(l.onWritten)
	}
	if conn.Protocol() == 3 {
		l.beats()
	}
	s.mu.Lock()
	s.links[conn.Id()] = l
	s.mu.Unlock()
	switch {
	case conn.ReadyState() == "closed":
		l.closed() // it went before we could listen
	case s.closing.Load():
		l.cut(cutShuttingDown)
	}
}

// onPacket hears what the client sends, before the library works on it: a close
// right behind a DISCONNECT may be seen first.
func (l *link) onPacket(args ...any) {
	l.heard.Store(l.server.opts.Now().UnixNano())
	p, ok := args[0].(*packet.Packet)
	if !ok {
		return
	}
	switch p.Type {
	case packet.PING, packet.PONG:
		l.beats()
	case packet.MESSAGE:
		l.awaitKnown()
		if (packets{msgpack: l.server.opts.Msgpack}).ends(p.Data) {
			l.goodbye.Store(true)
		}
	default:
	}
}

// awaitKnown holds an answer to connect back until the library knows whose it
// is: it says connect a moment before, and closes connections that send events
// and are nobody's.
func (l *link) awaitKnown() {
	l.mu.Lock()
	m := l.member
	l.mu.Unlock()
	if m == nil || !m.let.Load() {
		return
	}
	select {
	case <-m.known:
	case <-m.ctx.Done():
	}
}

func (s *Server) linkOf(conn engine.Socket) *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links[conn.Id()]
}

func (s *Server) allLinks() []*link {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*link, 0, len(s.links))
	for _, l := range s.links {
		all = append(all, l)
	}
	return all
}

func (l *link) closed() {
	l.cancel()
	l.rest()
	l.server.mu.Lock()
	delete(l.server.links, l.conn.Id())
	l.server.mu.Unlock()
}

func (l *link) onCreate(args ...any) {
	p, ok := args[0].(*packet.Packet)
	if !ok {
		return
	}
	if p.Type == packet.PING {
		l.await(l.server.opts.PingTimeout)
	}
	n := messageBytes(p)
	if n == 0 {
		return
	}
	l.mu.Lock()
	l.created += n
	over := l.created-l.written > int64(l.server.opts.MaxBacklogBytes)+l.spare
	l.mu.Unlock()
	if over {
		l.cut(cutSlowClient)
	}
}

func (l *link) onWritten(n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written = min(l.written+n, l.created) // one written before we could listen is in neither
	l.spare = max(0, l.spare-n)
	sent := 0
	for sent < len(l.unsent) && l.unsent[sent].end <= l.written {
		sent++
	}
	if sent == len(l.unsent) {
		l.unsent = nil
	} else {
		l.unsent = l.unsent[sent:]
	}
}

func (l *link) onUpgrade(args ...any) {
	to, ok := args[0].(transports.Transport)
	if !ok {
		return
	}
	l.mu.Lock()
	from := l.transport
	l.transport = to
	l.mu.Unlock()
	if w, ok := to.(writes); ok {
		w.onWritten(l.onWritten)
	}
	if p, ok := from.(*polling); ok {
		p.handOver(to)
	}
}

// expect notes the new_messages among what is about to be written. One is sent
// once it is written itself, whatever becomes of its offset.
func (l *link) expect(batch []*frame, offsets bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	end := l.created
	for _, f := range batch {
		f.encode()
		if f.id != "" {
			l.unsent = append(l.unsent, mark{end: end + int64(f.size), id: f.id, at: f.at})
		}
		end += int64(f.weight(offsets))
	}
}

func (l *link) grant(n int64) {
	l.mu.Lock()
	l.spare += n
	l.mu.Unlock()
}

func (l *link) hasJoined() {
	l.mu.Lock()
	l.joined = true
	l.mu.Unlock()
}

func (l *link) drained() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.created == l.written
}

// cut ends the connection, once, from a goroutine of its own: it is called
// wherever something is too much, often under a lock or inside the engine.
func (l *link) cut(reason string) {
	if l.condemn(reason) {
		l.server.crew.run(func() { l.end() })
	}
}

// condemn gives the end of the connection its reason; it is false where it has
// one already.
func (l *link) condemn(reason string) bool {
	if !l.reason.CompareAndSwap(nil, &reason) {
		return false
	}
	s := l.server
	s.opts.Metrics.Cut(reason)
	level := s.opts.Logger.Warn
	if reason == cutTokenExpired || reason == cutShuttingDown || reason == cutIdle || reason == cutReplaced {
		level = s.opts.Logger.Debug
	}
	level("socket cut off", "reason", reason, "connection", s.opts.ClientIP(l.conn.Request().Request()))
	return true
}

// end closes the transport without waiting for anything that is queued.
func (l *link) end() {
	l.conn.Close(true)
	if p, ok := l.conn.Transport().(*polling); ok {
		p.finish() // Close does nothing to an orderly close that is under way
	}
	if l.conn.ReadyState() == "closed" {
		l.closed()
	}
}

// closedFor says how long ago the sweep first asked this.
func (l *link) closedFor(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.found.IsZero() {
		l.found = now
	}
	return now.Sub(l.found)
}

// pongBytes is what the answer to a client's ping counts for: clients of
// protocol 3 may ask for any number of them and never take one.
const pongBytes = 64

func messageBytes(p *packet.Packet) int64 {
	if p.Type == packet.PONG && p.Data == nil { // what answers a probe is none of the session's
		return pongBytes
	}
	if p.Type != packet.MESSAGE {
		return 0
	}
	if b, ok := p.Data.(interface{ Len() int }); ok {
		return int64(b.Len())
	}
	return 0
}
