package hub

import (
	"parley/adapters/engineio"
	"parley/adapters/socketio"
)

// The reasons this pod ends a connection for.
const (
	cutSlowClient   = "slow_client"
	cutDoorOverflow = "door_overflow"
	cutEventFlood   = "event_flood"
	cutTokenExpired = "token_expired"
	cutShuttingDown = "shutting_down"
	cutReplaced     = "replaced" // its client has come back on another connection
	cutIdle         = "no_connect"
	cutUnavailable  = "unavailable" // it could not be let in as long as it may wait
	cutKicked       = "disconnected_by_server"
	cutConfused     = "out_of_place" // a packet where it has no place: a second CONNECT, an event before the first
)

// Why else a socket leaves, in Node's words.
const (
	reasonLost   = string(engineio.TransportClose)
	reasonPing   = string(engineio.PingTimeout)
	reasonClient = string(socketio.ReasonClient)
	reasonServer = string(socketio.ReasonServer)
)

// reasonOf is how a reason is counted, and whether it is this pod's doing.
func reasonOf(r socketio.Reason) (name string, cut bool) {
	switch r {
	case engineio.SlowClient:
		return cutSlowClient, true
	case engineio.ServerShutdown:
		return cutShuttingDown, true
	case socketio.ReasonFlood:
		return cutEventFlood, true
	case socketio.ReasonNoConnect:
		return cutIdle, true
	case socketio.ReasonForcedServer:
		return cutConfused, true
	case cutDoorOverflow, cutTokenExpired, cutShuttingDown, cutReplaced, cutUnavailable, cutKicked:
		return string(r), true
	default: // its client's doing, or told otherwise
		return string(r), false
	}
}
