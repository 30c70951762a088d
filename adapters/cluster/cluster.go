// Package cluster is how pods that share a Redis speak to each other about
// sockets: the wire formats of Node's @socket.io adapters and the connections
// that carry them.
//
// It owns envelopes, channels, requests and their responses. It refuses to know
// sockets, rooms or the Socket.IO library: those are behind Local.
package cluster

import (
	"context"
	"time"
)

// Packet is a Socket.IO packet as it crosses the wire.
type Packet struct {
	Type int // 2 EVENT, 5 BINARY_EVENT as in socket.io-parser
	Data any // for an event: []any{name, args...}; binary is []byte
	Nsp  string
	ID   *uint64 // set where an acknowledgement is wanted
}

// Flags modify an emit. The zero value says nothing.
type Flags struct {
	Volatile             bool
	Compress             *bool
	Timeout              time.Duration // zero when not set
	Broadcast            bool
	Binary               bool
	ExpectSingleResponse bool
}

// Options selects sockets: those in any of Rooms (all where it is empty), less
// those in any of Except.
type Options struct {
	Rooms  []string
	Except []string
	Flags  Flags
}

// Socket is what one pod tells another about a socket of its own.
type Socket struct {
	ID        string
	Handshake map[string]any
	Rooms     []string
	Data      any
}

// Local is this pod: what the others may ask of it. Calls come one after the
// other from the reading goroutine of one namespace, in the order they were
// published, and must not block.
type Local interface {
	Broadcast(packet Packet, opts Options)
	// BroadcastWithAck emits with an acknowledgement, tells clients how many
	// sockets were reached, and calls ack once for each answer.
	BroadcastWithAck(packet Packet, opts Options, clients func(n int), ack func(args []any))
	Join(opts Options, rooms []string)
	Leave(opts Options, rooms []string)
	Disconnect(opts Options, closeTransport bool)
	// Sockets hands answer this pod's, once; later, where it takes time to know.
	Sockets(opts Options, answer func([]Socket))
	Rooms() []string
	// ServerSideEmit hands args (event name first) to this pod; ack is nil where
	// none is wanted.
	ServerSideEmit(args []any, ack func(answer any))
	// Resumed says that what was published between since and now may have been
	// lost: the connection to Redis broke and is back.
	Resumed(since time.Time)
}

// Bus reaches the other pods. What enqueues never blocks and never fails: while
// Redis is away, what does not fit the bounded queue is dropped and counted.
type Bus interface {
	// Start subscribes and returns once this pod hears the others.
	Start(ctx context.Context, local Local) error
	// Close stops every goroutine of the bus after what is queued was published
	// or ctx has ended.
	Close(ctx context.Context) error
	// Ready returns nil while this pod hears the others.
	Ready() error
	// Flush returns once what was enqueued before it was handed to Redis; at
	// once, with an error, while Redis is away.
	Flush(ctx context.Context) error

	Broadcast(packet Packet, opts Options)
	Join(opts Options, rooms []string)
	Leave(opts Options, rooms []string)
	Disconnect(opts Options, closeTransport bool)

	// BroadcastWithAck is Broadcast with the answers of the other pods' sockets:
	// clients is called once for each pod that answers, ack once for each answer.
	BroadcastWithAck(packet Packet, opts Options, clients func(n int), ack func(args []any))
	// Sockets asks the other pods; it fails where one of them does not answer
	// within ctx.
	Sockets(ctx context.Context, opts Options) ([]Socket, error)
	// Settled returns once every other pod has carried out what was enqueued
	// before; it fails where one of them does not say so within ctx.
	Settled(ctx context.Context) error
	// CatchUp returns once this pod has dealt with the broadcasts Redis had for
	// it as CatchUp was called, none of them missing; with an error where it cannot
	// tell, or ctx ends. What was missed is told to Local.Resumed before that.
	CatchUp(ctx context.Context) error
	// Rooms returns the rooms of the other pods.
	Rooms(ctx context.Context) ([]string, error)
	// ServerSideEmit tells the other pods; with ack, it is called once for all
	// answers, or with the answers so far and an error.
	ServerSideEmit(ctx context.Context, args []any, ack func(answers []any, err error))
	// Pods counts the pods that listen, this one included.
	Pods(ctx context.Context) (int, error)
}

// Metrics is told what the bus lost or could not read.
type Metrics interface {
	// ClusterDropped counts what was not published or not understood, by reason.
	ClusterDropped(reason string)
	ClusterPublished(n int)
	ClusterReceived(n int)
}
