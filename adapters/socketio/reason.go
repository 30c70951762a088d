package socketio

import "parley/adapters/engineio"

// Reason says why a socket was disconnected, in Node's words where Node has one.
type Reason = engineio.Reason

// The reasons of this layer; others are the engine's.
const (
	ReasonClient       Reason = "client namespace disconnect"
	ReasonServer       Reason = "server namespace disconnect"
	ReasonForcedServer Reason = "forced server close"
	ReasonParseError   Reason = "parse error"
	// ReasonNoConnect is for a connection that joined no namespace in time.
	ReasonNoConnect Reason = "no connect"
	// ReasonFlood is for a client whose events come faster than they are handled.
	ReasonFlood Reason = "event flood"
)
