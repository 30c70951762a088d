package socketio

import (
	"context"
	"time"
)

// Audience selects sockets of a namespace: those in any of Rooms, all where it
// is empty, less those in any of Except. A socket's id is a room it is in.
type Audience struct {
	Rooms  []string
	Except []string
	// Local leaves out the sockets of other servers.
	Local bool
}

// Flags modify an emit. The zero value says nothing.
type Flags struct {
	// Volatile may be dropped where a client cannot be written to at once.
	Volatile bool
	// Timeout is how long answers are waited for.
	Timeout time.Duration
}

// Adapter keeps who is in which room, and reaches the sockets of a namespace on
// this server and the others. Its methods do not block, but for Fetch.
type Adapter interface {
	// Enter and Exit are for one socket of this server; Gone is the last that is
	// heard of it, and takes it out of all rooms.
	Enter(s *Socket, rooms ...string)
	Exit(s *Socket, rooms ...string)
	Gone(s *Socket)
	// RoomsOf are those the socket is in.
	RoomsOf(s *Socket) []string

	Broadcast(p Packet, to Audience, flags Flags)
	// BroadcastWithAck sends a packet that asks for an answer. It tells every
	// answer, and, once all servers have said so, how many clients were reached.
	// Answers that come after forget are not told.
	BroadcastWithAck(p Packet, to Audience, flags Flags, clients func(n int), ack func(args []any)) (forget func())
	Join(to Audience, rooms []string)
	Leave(to Audience, rooms []string)
	Disconnect(to Audience, closeTransport bool)
	// Fetch returns the sockets of every server; with an error, of those that
	// answered.
	Fetch(ctx context.Context, to Audience) ([]Remote, error)
}

// Remote is a socket of whichever server.
type Remote struct {
	ID    string
	Rooms []string
	Data  any
}
