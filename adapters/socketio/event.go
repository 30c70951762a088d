package socketio

import "sync/atomic"

// Event is what a client has emitted.
type Event struct {
	Name string
	Args []any

	socket   *Socket
	id       *uint64
	answered atomic.Bool
}

// Asks says whether the client wants an answer.
func (e *Event) Asks() bool { return e.id != nil }

// Ack answers the client, once; where it does not ask, nothing happens.
func (e *Event) Ack(args ...any) {
	if e.id == nil || !e.answered.CompareAndSwap(false, true) {
		return
	}
	if args == nil {
		args = []any{}
	}
	e.socket.Send(Packet{Type: TypeAck, ID: e.id, Data: args})
	e.socket.Flush()
}
