package cluster

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/adapters/js"
)

// goldenSends are the calls of capture.cjs, by name.
func goldenSends(bus Bus) map[string]func() {
	event := func(args ...any) Packet { return Packet{Data: args} }
	room := Options{Rooms: []string{"r1"}}
	no := false
	bytes := []byte{1, 2, 3}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	return map[string]func(){
		"all": func() { bus.Broadcast(event("hi"), Options{}) },
		"room": func() {
			bus.Broadcast(event("new_message", js.Object{{Key: "_id", Value: "1"}, {Key: "text", Value: "ü"}, {Key: "n", Value: 1.5}, {Key: "m", Value: 300}}), room)
		},
		"rooms": func() {
			bus.Broadcast(event("hi", 1, nil, true, []int{-1}), Options{Rooms: []string{"r1", "r2", "r1"}})
		},
		"except":     func() { bus.Broadcast(event("hi"), Options{Except: []string{"r1"}}) },
		"roomExcept": func() { bus.Broadcast(event("hi"), Options{Rooms: []string{"r1", "r1"}, Except: []string{"a", "b"}}) },
		"binary":     func() { bus.Broadcast(event("bin", bytes, map[string]any{"b": bytes}), room) },
		"volatile":   func() { bus.Broadcast(event("hi"), Options{Rooms: room.Rooms, Flags: Flags{Volatile: true}}) },
		"compress":   func() { bus.Broadcast(event("hi"), Options{Flags: Flags{Compress: &no}}) },
		"timeout": func() {
			bus.Broadcast(event("hi"), Options{Rooms: room.Rooms, Flags: Flags{Timeout: 1500 * time.Millisecond}})
		},
		"ack": func() {
			o := Options{Rooms: room.Rooms, Flags: Flags{Timeout: 1500 * time.Millisecond}}
			bus.BroadcastWithAck(event("hi", "x"), o, func(int) {}, func([]any) {})
		},
		"join":             func() { bus.Join(room, []string{"a", "b"}) },
		"leave":            func() { bus.Leave(Options{Rooms: room.Rooms, Except: []string{"z"}}, []string{"a"}) },
		"disconnect":       func() { bus.Disconnect(room, true) },
		"disconnectAll":    func() { bus.Disconnect(Options{}, false) },
		"fetch":            func() { _, _ = bus.Sockets(ended, room) },
		"rooms_":           func() { _, _ = bus.Rooms(ended) },
		"serverSide":       func() { bus.ServerSideEmit(ended, []any{"hello", 1, map[string]any{"a": "b"}}, nil) },
		"serverSideBinary": func() { bus.ServerSideEmit(ended, []any{"hello", bytes}, nil) },
		"serverSideAck":    func() { bus.ServerSideEmit(context.Background(), []any{"hello", 1}, func([]any, error) {}) },
	}
}

// queued drains a bus that was never started; request ids become id.
func queued(l *link, id string) (out []sent) {
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	for _, o := range l.queue.items[l.queue.head:] {
		payload := o.payload
		if o.request != nil {
			payload = strings.ReplaceAll(payload, o.request.id, id)
		}
		out = append(out, sent{o.channel, payload})
	}
	l.queue.items, l.queue.head, l.queue.bytes = nil, 0, 0
	return out
}

func TestClassicSendsWhatNodeSends(t *testing.T) {
	for name, want := range loadGolden(t).Classic {
		if strings.HasPrefix(name, "answer:") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			bus := NewClassic(ClassicOptions{UID: "AAAAAA"}).(*classic)
			bus.subscriber.ready.Store(true)
			defer closeBus(t, bus)
			send := goldenSends(bus)[name]
			if send == nil {
				t.Fatal("no such call here")
			}
			send()
			got := queued(bus.link, "AAAAAA")
			if want := goldenSent(t, want); len(got) != 1 || got[0] != want {
				t.Errorf("\n got %q\nwant %q", got, want)
			}
		})
	}
}

// goldenLocal is the pod of capture.cjs.
func goldenLocal() *fakeLocal {
	l := newFakeLocal()
	l.add(Socket{
		ID: "s1", Rooms: []string{"s1", "r1"}, Data: map[string]any{"user": "u1"},
		Handshake: map[string]any{
			"headers": map[string]any{"a": "b"}, "time": "now", "address": "::1", "xdomain": false, "secure": false,
			"issued": 1, "url": "/x", "query": map[string]any{}, "auth": map[string]any{},
		},
	})
	l.onEmit = func(_ []any, ack func(any)) {
		if ack != nil {
			ack(map[string]any{"ok": true})
			ack("a second answer, not to be sent")
		}
	}
	l.onBroadcastWithAck = func(clients func(int), ack func([]any)) {
		clients(1)
		ack([]any{"yes", 2})
		ack([]any{[]byte{1, 2, 3}})
		ack(nil)
	}
	return l
}

func TestClassicAnswersWhatNodeAnswers(t *testing.T) {
	asks := map[string]string{
		"sockets":     `{"uid":"other1","requestId":"q1","type":0,"rooms":["r1"]}`,
		"socketsNone": `{"uid":"other1","requestId":"q1","type":0,"rooms":["none"]}`,
		"rooms":       `{"uid":"other1","requestId":"q1","type":1}`,
		"fetch":       `{"uid":"other1","requestId":"q1","type":5,"opts":{"rooms":["r1"],"except":[]}}`,
		"fetchNone":   `{"uid":"other1","requestId":"q1","type":5,"opts":{"rooms":["none"],"except":[]}}`,
		"joinOld":     `{"uid":"other1","requestId":"q1","type":2,"sid":"s1","room":"x"}`,
		"serverSide":  `{"uid":"other1","requestId":"q1","type":6,"data":["hello"]}`,
		"broadcast":   `{"uid":"other1","requestId":"q1","type":7,"packet":{"type":2,"data":["hi"],"nsp":"/"},"opts":{"rooms":["r1"],"except":[],"flags":{"timeout":10}}}`,
	}
	g := loadGolden(t)
	for name, ask := range asks {
		t.Run(name, func(t *testing.T) {
			bus := NewClassic(ClassicOptions{}).(*classic)
			defer closeBus(t, bus)
			bus.local = goldenLocal()
			bus.receive("socket.io-request#/#", ask)
			got, want := queued(bus.link, ""), goldenAnswers(t, g.Classic["answer:"+name])
			if !slices.Equal(got, want) {
				t.Errorf("\n got %q\nwant %q", got, want)
			}
		})
	}
}

func TestClassicReadsWhatTheEmitterSends(t *testing.T) {
	want := map[string]string{
		"all":        `broadcast [] [] ["hi"]`,
		"room":       `broadcast [r1] [] ["hi",1]`,
		"join":       `join [r1] [] [a]`,
		"serverSide": `emit ["hello",1]`,
	}
	for name, raw := range loadGolden(t).Emitter {
		bus := NewClassic(ClassicOptions{}).(*classic)
		local := goldenLocal()
		bus.local = local
		in := goldenSent(t, raw)
		bus.receive(in.channel, in.payload)
		if got := local.calls(); len(got) != 1 || got[0] != want[name] {
			t.Errorf("%s: got %q, want %q", name, got, want[name])
		}
		closeBus(t, bus)
	}
}
