package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/adapters/js"
)

// fakeLocal is a pod without sockets' connections: it keeps who is in which
// room and a record of what it was told.
type fakeLocal struct {
	onSockets          func()
	answersLater       func(answer func())
	onBroadcast        func()
	onEmit             func(args []any, ack func(any))
	onBroadcastWithAck func(clients func(int), ack func([]any))

	mu      sync.Mutex
	changed chan struct{}
	record  []string
	packets []Packet
	options []Options
	resumed []time.Time
	sockets []Socket
}

func newFakeLocal() *fakeLocal { return &fakeLocal{changed: make(chan struct{})} }

func (l *fakeLocal) add(s Socket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sockets = append(l.sockets, s)
}

func (l *fakeLocal) note(format string, args ...any) {
	l.record = append(l.record, fmt.Sprintf(format, args...))
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *fakeLocal) calls() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.record)
}

// eventually waits until ok holds of l, which is locked meanwhile.
func (l *fakeLocal) eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		l.mu.Lock()
		done, changed := ok(), l.changed
		record := l.record
		l.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			if len(record) > 20 {
				record = record[len(record)-20:]
			}
			t.Fatalf("never: %s; the last calls were %q", what, record)
		}
	}
}

// told waits for the calls, in this order, with nothing between them.
func (l *fakeLocal) told(t testing.TB, want ...string) {
	t.Helper()
	l.eventually(t, fmt.Sprintf("%q", want), func() bool { return len(l.record) >= len(want) })
	if got := l.calls(); !slices.Equal(got, want) {
		t.Fatalf("\n got %q\nwant %q", got, want)
	}
}

func (l *fakeLocal) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.record, l.packets, l.options = nil, nil, nil
}

func text(v any) string {
	b, err := js.AppendJSON(nil, v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (l *fakeLocal) Broadcast(p Packet, o Options) {
	if l.onBroadcast != nil {
		l.onBroadcast()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.packets, l.options = append(l.packets, p), append(l.options, o)
	l.note("broadcast %v %v %s", o.Rooms, o.Except, text(p.Data))
}

func (l *fakeLocal) BroadcastWithAck(p Packet, o Options, clients func(int), ack func([]any)) {
	l.mu.Lock()
	l.packets, l.options = append(l.packets, p), append(l.options, o)
	l.note("ack %v %v %s", o.Rooms, o.Except, text(p.Data))
	l.mu.Unlock()
	if l.onBroadcastWithAck != nil {
		l.onBroadcastWithAck(clients, ack)
	}
}

func (l *fakeLocal) Join(o Options, rooms []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, s := range l.sockets {
		if matches(s, o) {
			l.sockets[i].Rooms = unique(append(slices.Clone(s.Rooms), rooms...))
		}
	}
	l.note("join %v %v %v", o.Rooms, o.Except, rooms)
}

func (l *fakeLocal) Leave(o Options, rooms []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, s := range l.sockets {
		if matches(s, o) {
			l.sockets[i].Rooms = slices.DeleteFunc(slices.Clone(s.Rooms), func(r string) bool { return slices.Contains(rooms, r) })
		}
	}
	l.note("leave %v %v %v", o.Rooms, o.Except, rooms)
}

func (l *fakeLocal) Disconnect(o Options, closeTransport bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sockets = slices.DeleteFunc(l.sockets, func(s Socket) bool { return matches(s, o) })
	l.note("disconnect %v %v %v", o.Rooms, o.Except, closeTransport)
}

func (l *fakeLocal) Sockets(o Options, answer func([]Socket)) {
	if l.onSockets != nil {
		l.onSockets()
	}
	if l.answersLater != nil {
		l.answersLater(func() { answer(l.are(o)) })
		return
	}
	answer(l.are(o))
}

func (l *fakeLocal) are(o Options) []Socket {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Socket
	for _, s := range l.sockets {
		if matches(s, o) {
			out = append(out, s)
		}
	}
	return out
}

func matches(s Socket, o Options) bool {
	in := func(rooms []string) bool {
		return slices.ContainsFunc(rooms, func(r string) bool { return slices.Contains(s.Rooms, r) })
	}
	return (len(o.Rooms) == 0 || in(o.Rooms)) && !in(o.Except)
}

func (l *fakeLocal) Rooms() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, s := range l.sockets {
		out = append(out, s.Rooms...)
	}
	return unique(out)
}

func (l *fakeLocal) ServerSideEmit(args []any, ack func(any)) {
	l.mu.Lock()
	l.note("emit %s", text(args))
	l.mu.Unlock()
	if l.onEmit != nil {
		l.onEmit(args, ack)
	}
}

func (l *fakeLocal) Resumed(since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.resumed = append(l.resumed, since)
	l.note("resumed")
}

// indexedLocal also knows quickly which rooms it has.
type indexedLocal struct{ *fakeLocal }

func (l indexedLocal) HasRoom(room string) bool { return slices.Contains(l.Rooms(), room) }

func closeBus(t testing.TB, bus Bus) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := bus.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

// counters is a Metrics that can be asked.
type counters struct {
	mu        sync.Mutex
	dropped   map[string]int
	published int
	received  int
}

func (c *counters) ClusterDropped(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dropped == nil {
		c.dropped = map[string]int{}
	}
	c.dropped[reason]++
}

func (c *counters) ClusterPublished(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.published += n
}

func (c *counters) ClusterReceived(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received += n
}

func (c *counters) drops(reason string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped[reason]
}
