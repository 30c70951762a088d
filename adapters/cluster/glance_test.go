package cluster

import (
	"strings"
	"testing"

	"parley/adapters/js"
)

// glancing is a bus of a pod with a socket in the room "here", and what another
// pod has published as the buses hear it.
type glancing struct {
	name  string
	bus   Bus
	local *fakeLocal
	hear  func(o *outgoing)
}

func glancers(t *testing.T, counts *counters) []glancing {
	t.Helper()
	local := func(l *link) *fakeLocal {
		f := newFakeLocal()
		f.add(Socket{ID: "s1", Rooms: []string{"s1", "here"}})
		l.index = indexedLocal{f}
		return f
	}
	one := NewClassic(ClassicOptions{UID: "AAAAAA", Metrics: counts}).(*classic)
	two := NewSharded(ShardedOptions{UID: "00000000000000aa", Metrics: counts}).(*sharded)
	three := NewStreams(StreamsOptions{UID: "00000000000000aa", Metrics: counts}).(*streams)
	l1, l2, l3 := local(one.link), local(two.link), local(three.link)
	one.local, two.local, three.local, three.caughtUp = l1, l2, l3, func() {}
	for _, b := range []Bus{one, two, three} {
		t.Cleanup(func() { closeBus(t, b) })
	}
	return []glancing{
		{"classic", one, l1, func(o *outgoing) { one.receive(o.channel, o.payload) }},
		{"sharded", two, l2, func(o *outgoing) { two.receive(o.channel, o.payload) }},
		{"streams", three, l3, func(o *outgoing) {
			if o.args[0] != "xadd" {
				three.receive(o.channel, o.payload)
				return
			}
			three.entry(fields{"uid": o.args[7], "nsp": o.args[9], "type": o.args[11], "data": o.payload})
		}},
	}
}

// published is what another pod makes of a call.
func published(t *testing.T, name string, call func(Bus)) *outgoing {
	t.Helper()
	make := map[string]func() Bus{
		"classic": func() Bus { return NewClassic(ClassicOptions{UID: "BBBBBB"}) },
		"sharded": func() Bus { return NewSharded(ShardedOptions{UID: "00000000000000bb"}) },
		"streams": func() Bus { return NewStreams(StreamsOptions{UID: "00000000000000bb"}) },
	}[name]
	bus := make()
	defer closeBus(t, bus)
	call(bus)
	return linkOf(bus).queue.take(1, 1)[0]
}

// spoil puts what cannot be decoded in the place of a text, in either format.
func spoil(t *testing.T, o *outgoing, text string) {
	t.Helper()
	bad := strings.Replace(o.payload, `"`+text+`"`, "nonsense", 1)
	if packed, err := js.AppendNotepack(nil, text); err == nil {
		bad = strings.Replace(bad, string(packed), "\x81\x90\xc0", 1) // an object with a list as a key
	}
	if bad == o.payload {
		t.Fatalf("nothing to spoil in %q", o.payload)
	}
	o.payload = bad
}

// TestRoomsThatAreNotHereAreNotDecoded hears messages nobody could decode: whether
// they are counted tells whether somebody tried.
func TestRoomsThatAreNotHereAreNotDecoded(t *testing.T) {
	counts := &counters{}
	for _, g := range glancers(t, counts) {
		for rooms, decoded := range map[string]bool{
			"elsewhere": false, "elsewhere nowhere": false, "elsewhere here": true, "here": true, "": true,
		} {
			for _, binary := range []bool{false, true} {
				if binary && g.name == "streams" {
					continue // nothing can be read of it before it is
				}
				data := event("x", "a text")
				if binary {
					data = event("x", "a text", []byte{1})
				}
				o := published(t, g.name, func(b Bus) { b.Broadcast(data, in(strings.Fields(rooms)...)) })
				spoil(t, o, "a text")
				before := counts.drops(reasonUndecodable)
				g.hear(o)
				if tried := counts.drops(reasonUndecodable) > before; tried != decoded {
					t.Errorf("%s, %q, binary %v: decoded %v", g.name, rooms, binary, tried)
				}
			}
		}
		if calls := g.local.calls(); len(calls) != 0 {
			t.Errorf("%s: told %q", g.name, calls)
		}
	}
}

// TestWhoAsksIsAnswered holds for rooms that are not here, too: who asks waits for
// every pod's answer.
func TestWhoAsksIsAnswered(t *testing.T) {
	for _, g := range glancers(t, &counters{}) {
		g.local.onBroadcastWithAck = func(clients func(int), _ func([]any)) { clients(0) }
		for _, call := range []func(Bus){
			func(b Bus) { b.BroadcastWithAck(event("x"), in("elsewhere", "nowhere"), func(int) {}, func([]any) {}) },
			func(b Bus) { b.BroadcastWithAck(event("x"), in("elsewhere"), func(int) {}, func([]any) {}) },
		} {
			g.hear(published(t, g.name, call))
			if answers := linkOf(g.bus).queue.take(1, 1); len(answers) != 1 {
				t.Errorf("%s: no answer", g.name)
			}
		}
		// What names sockets without being a broadcast is for the pod to judge.
		g.hear(published(t, g.name, func(b Bus) { b.Disconnect(in("elsewhere"), true) }))
		if calls := g.local.calls(); len(calls) != 3 || calls[2] != "disconnect [elsewhere] [] true" {
			t.Errorf("%s: told %q", g.name, calls)
		}
	}
}

// TestOurOwnIsKnownByAGlance: every message that carries our uid bears the mark,
// and none of another pod's.
func TestOurOwnIsKnownByAGlance(t *testing.T) {
	for _, g := range glancers(t, &counters{}) {
		l := linkOf(g.bus)
		l.subscriber.ready.Store(true)
		if b, ok := g.bus.(*streams); ok {
			b.reader.ready.Store(true)
		}
		for name, call := range goldenSends(g.bus) {
			call()
			for _, o := range l.queue.take(1, 1) {
				inStream := o.args[0] == "xadd" // where its uid is a field of its own
				if !o.own || (!inStream && !l.marks.on(o.payload)) {
					t.Errorf("%s: %s: own %v, marked %v: %q", g.name, name, o.own, l.marks.on(o.payload), o.payload)
				}
				g.hear(o)
			}
		}
		if l.marks.on(published(t, g.name, func(b Bus) { b.Broadcast(event("x"), in("here")) }).payload) {
			t.Errorf("%s: another pod's message is marked", g.name)
		}
		if calls := g.local.calls(); len(calls) != 0 {
			t.Errorf("%s: heard itself: %q", g.name, calls)
		}
	}
}
