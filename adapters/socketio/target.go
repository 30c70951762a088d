package socketio

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// Target is whom something is for. Each of its methods that narrows or widens it
// returns another one.
type Target struct {
	nsp   *Namespace
	to    Audience
	flags Flags
}

// All is every socket of the namespace, on every server.
func (n *Namespace) All() Target { return Target{nsp: n} }

// To is the sockets in any of the rooms.
func (n *Namespace) To(rooms ...string) Target { return n.All().To(rooms...) }

// To adds rooms.
func (t Target) To(rooms ...string) Target {
	t.to.Rooms = slices.Concat(t.to.Rooms, rooms)
	return t
}

// Except leaves out the sockets in any of the rooms.
func (t Target) Except(rooms ...string) Target {
	t.to.Except = slices.Concat(t.to.Except, rooms)
	return t
}

// Local leaves out the sockets of other servers.
func (t Target) Local() Target {
	t.to.Local = true
	return t
}

// Volatile lets an emit be dropped where a client cannot be written to at once.
func (t Target) Volatile() Target {
	t.flags.Volatile = true
	return t
}

// Timeout is how long EmitWithAck waits.
func (t Target) Timeout(d time.Duration) Target {
	t.flags.Timeout = d
	return t
}

// Emit sends an event.
func (t Target) Emit(event string, args ...any) {
	t.nsp.adapter.Broadcast(Packet{Type: TypeEvent, Nsp: t.nsp.name, Data: append([]any{event}, args...)}, t.to, t.flags)
}

// EmitWithAck sends an event and returns the answers, one a client; with an
// error, those that came in time.
func (t Target) EmitWithAck(ctx context.Context, event string, args ...any) ([][]any, error) {
	id := t.nsp.NextID()
	if t.flags.Timeout <= 0 {
		t.flags.Timeout = t.nsp.server.opts.AckTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, t.flags.Timeout)
	defer cancel()
	c := collector{want: -1, done: make(chan struct{})}
	forget := t.nsp.adapter.BroadcastWithAck(
		Packet{Type: TypeEvent, Nsp: t.nsp.name, ID: &id, Data: append([]any{event}, args...)}, t.to, t.flags, c.expect, c.add)
	defer forget()
	select {
	case <-c.done:
		return c.all(), nil
	case <-ctx.Done():
		return c.all(), ctx.Err()
	}
}

// collector gathers the answers to one broadcast.
type collector struct {
	mu      sync.Mutex
	answers [][]any
	want    int // -1 until it is known
	done    chan struct{}
}

func (c *collector) expect(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.want = n
	c.check()
}

func (c *collector) add(args []any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers = append(c.answers, args)
	c.check()
}

// check needs c.mu.
func (c *collector) check() {
	if c.want >= 0 && len(c.answers) >= c.want {
		close(c.done)
		c.want = math.MaxInt // once
	}
}

func (c *collector) all() [][]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.answers)
}

// Join puts the sockets into rooms.
func (t Target) Join(rooms ...string) { t.nsp.adapter.Join(t.to, rooms) }

// Leave takes the sockets out of rooms.
func (t Target) Leave(rooms ...string) { t.nsp.adapter.Leave(t.to, rooms) }

// Disconnect disconnects the sockets.
func (t Target) Disconnect(closeTransport bool) { t.nsp.adapter.Disconnect(t.to, closeTransport) }

// Fetch returns the sockets.
func (t Target) Fetch(ctx context.Context) ([]Remote, error) { return t.nsp.adapter.Fetch(ctx, t.to) }

// Join puts the socket into rooms.
func (s *Socket) Join(rooms ...string) { s.nsp.adapter.Enter(s, rooms...) }

// Leave takes it out of rooms.
func (s *Socket) Leave(rooms ...string) { s.nsp.adapter.Exit(s, rooms...) }

// Rooms are those the socket is in, its id among them.
func (s *Socket) Rooms() []string { return s.nsp.adapter.RoomsOf(s) }
