package engineio

import (
	"errors"
	"fmt"
)

// Reason says why a session ended, in Node's words where Node has one. Callers
// of Abort may add their own.
type Reason string

// The reasons of the engine itself.
const (
	TransportClose Reason = "transport close"      // the client closed, or its connection broke
	TransportError Reason = "transport error"      // the client broke the rules of its transport
	ParseError     Reason = "parse error"          // what it sent is no packet
	PingTimeout    Reason = "ping timeout"         // it fell silent
	ForcedClose    Reason = "forced close"         // Session.Close
	ServerShutdown Reason = "server shutting down" // Server.Shutdown or Close
	SlowClient     Reason = "slow client"          // more waits for it than may, or it takes nothing
	HandlerPanic   Reason = "handler panic"
)

// The reasons an upgrade came to nothing; its session goes on as it was.
const (
	UpgradeRefused   Reason = "upgrade refused"   // there was nothing to upgrade, or one is under way
	UpgradeTimeout   Reason = "upgrade timeout"   // the client said nothing more
	UpgradeAbandoned Reason = "upgrade abandoned" // the client left, or its session ended
	UpgradeInvalid   Reason = "upgrade invalid"   // the client said something else than it should
)

// CloseError is a WebSocket that ended with a close code: the client's, or the
// one it was given for what it did.
type CloseError struct {
	Code int
	Text string
}

func (e *CloseError) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("websocket closed with %d", e.Code)
	}
	return fmt.Sprintf("websocket closed with %d: %s", e.Code, e.Text)
}

// The close codes the engine sends or reads.
const (
	codeProtocol  = 1002
	codeNoStatus  = 1005
	codeNotUTF8   = 1007
	codePolicy    = 1008
	codeTooBig    = 1009
	closeCodeSize = 2
)

var (
	errPollOverlap = errors.New("overlap from client")
	errPollGone    = errors.New("poll connection closed prematurely")
	errPostOverlap = errors.New("data request overlap from client")
	errPostGone    = errors.New("data request connection closed prematurely")
	errContent     = errors.New("invalid content")
	errHeartbeat   = errors.New("invalid heartbeat direction")
	errPacket      = errors.New("no packet of the protocol")
	errBacklog     = errors.New("the backlog is full")
	errStuck       = errors.New("nothing was taken in time")
)
