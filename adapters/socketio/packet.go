package socketio

import (
	"fmt"

	"parley/adapters/js"
)

// PacketType says what a packet is for. The numbers are the protocol's.
type PacketType byte

// The packet types. An EVENT or ACK with attachments crosses the wire under a
// number of its own; here it is the same packet.
const (
	TypeConnect      PacketType = 0
	TypeDisconnect   PacketType = 1
	TypeEvent        PacketType = 2
	TypeAck          PacketType = 3
	TypeConnectError PacketType = 4

	binaryEvent PacketType = 5
	binaryAck   PacketType = 6
)

func (t PacketType) String() string {
	switch t {
	case TypeConnect:
		return "CONNECT"
	case TypeDisconnect:
		return "DISCONNECT"
	case TypeEvent:
		return "EVENT"
	case TypeAck:
		return "ACK"
	case TypeConnectError:
		return "CONNECT_ERROR"
	default:
		return fmt.Sprintf("PacketType(%d)", byte(t))
	}
}

// Packet is one Socket.IO packet.
type Packet struct {
	Type PacketType
	// Nsp is the namespace; "/" is the main one.
	Nsp string
	// ID asks for an acknowledgement, or says which one this is; nil for none.
	ID *uint64
	// Data is, for an EVENT, []any with the event's name first; for an ACK, []any;
	// for CONNECT and CONNECT_ERROR, an object. nil for none. A decoder makes
	// maps of objects, but in an ACK, which keeps the order of their keys.
	Data any
}

// maxAttachments is how many attachments a packet may have; as in Node.
const maxAttachments = 10

// reserved are the names no client may give an event.
var reserved = map[string]bool{
	"connect": true, "connect_error": true, "disconnect": true, "disconnecting": true, "newListener": true, "removeListener": true,
}

// fits says whether the payload is one of such a packet.
func fits(kind PacketType, data any) bool {
	_, object := data.(js.Object)
	list, isList := data.([]any)
	switch kind {
	case TypeConnect:
		return object
	case TypeConnectError:
		_, text := data.(string)
		return object || text
	case TypeAck:
		return isList
	case TypeEvent:
		if len(list) == 0 {
			return false
		}
		switch name := list[0].(type) {
		case float64:
			return true
		case string:
			return !reserved[name]
		}
	default: // a DISCONNECT has none
	}
	return false
}

// payload is what handlers are given: nil for none, maps for objects. Answers
// keep their order of keys: they may go on to other servers.
func payload(kind PacketType, data any) any {
	switch {
	case data == any(js.Undefined{}):
		return nil
	case kind == TypeAck:
		return data
	}
	return js.Plain(data)
}
