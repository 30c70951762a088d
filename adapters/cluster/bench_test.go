package cluster

import (
	"testing"
	"time"

	"parley/adapters/js"
)

// benchLocal is a pod with sockets in the room "here" alone.
type benchLocal struct{ heard int }

func (l *benchLocal) HasRoom(room string) bool                               { return room == "here" }
func (l *benchLocal) Broadcast(Packet, Options)                              { l.heard++ }
func (*benchLocal) BroadcastWithAck(Packet, Options, func(int), func([]any)) {}
func (*benchLocal) Join(Options, []string)                                   {}
func (*benchLocal) Leave(Options, []string)                                  {}
func (*benchLocal) Disconnect(Options, bool)                                 {}
func (*benchLocal) Sockets(_ Options, answer func([]Socket))                 { answer(nil) }
func (*benchLocal) Rooms() []string                                          { return nil }
func (*benchLocal) ServerSideEmit([]any, func(any))                          {}
func (*benchLocal) Resumed(time.Time)                                        {}

// benchMessage is an event as Parley's pods send most of.
func benchMessage() Packet {
	return Packet{Type: 2, Nsp: "/", Data: []any{"new_message", js.Object{
		{Key: "_id", Value: "6650a1b2c3d4e5f607182930"}, {Key: "chatId", Value: "6650a1b2c3d4e5f60718293a"},
		{Key: "senderId", Value: "6650a1b2c3d4e5f60718293b"}, {Key: "content", Value: "a message of the usual length, with a few words and an ü"},
		{Key: "type", Value: "text"}, {Key: "createdAt", Value: "2026-01-02T03:04:05.678Z"},
		{Key: "updatedAt", Value: "2026-01-02T03:04:05.678Z"},
	}}}
}

// benchBus is a bus that is not connected, and what it hears with.
type benchBus struct {
	Bus
	link *link
	hear func(o *outgoing) // what another pod, or the bus itself, has published
}

func benchBuses(local *benchLocal) map[string]func(uid string) benchBus {
	return map[string]func(uid string) benchBus{
		"classic": func(uid string) benchBus {
			b := NewClassic(ClassicOptions{UID: uid}).(*classic)
			b.local, b.index = local, local
			return benchBus{b, b.link, func(o *outgoing) { b.receive(o.channel, o.payload) }}
		},
		"sharded": func(uid string) benchBus {
			b := NewSharded(ShardedOptions{UID: uid}).(*sharded)
			b.local, b.index = local, local
			return benchBus{b, b.link, func(o *outgoing) { b.receive(o.channel, o.payload) }}
		},
		"streams": func(uid string) benchBus {
			b := NewStreams(StreamsOptions{UID: uid}).(*streams)
			b.local, b.index = local, local
			return benchBus{b, b.link, func(o *outgoing) {
				b.entry(fields{"uid": o.args[7].(string), "nsp": "/", "type": "3", "data": o.payload})
			}}
		},
	}
}

func BenchmarkReceive(b *testing.B) {
	for name, open := range benchBuses(&benchLocal{}) {
		uid, other := "AAAAAA", "BBBBBB"
		if name != "classic" {
			uid, other = "0123456789abcdef", "fedcba9876543210"
		}
		published := func(uid string, rooms ...string) *outgoing {
			pod := open(uid)
			defer closeBus(b, pod)
			pod.Broadcast(benchMessage(), in(rooms...))
			return pod.link.queue.take(1, 1)[0]
		}
		for what, o := range map[string]*outgoing{
			"dropped":        published(other, "elsewhere"),
			"dropped of two": published(other, "elsewhere", "nowhere"),
			"delivered":      published(other, "here"),
			"own":            published(uid, "here"),
		} {
			b.Run(name+"/"+what, func(b *testing.B) {
				pod := open(uid)
				defer closeBus(b, pod)
				b.ReportAllocs()
				for b.Loop() {
					pod.hear(o)
				}
			})
		}
	}
}

func BenchmarkBroadcast(b *testing.B) {
	for name, open := range benchBuses(&benchLocal{}) {
		b.Run(name, func(b *testing.B) {
			pod := open("AAAAAA")
			defer closeBus(b, pod)
			b.ReportAllocs()
			for b.Loop() {
				pod.Broadcast(benchMessage(), in("here"))
				pod.link.queue.take(1, 1)
			}
		})
	}
}
