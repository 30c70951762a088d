package socketio

import "parley/adapters/engineio"

// Parser is how packets are spelled; clients must speak the same one.
type Parser interface {
	// Encode spells a packet: one frame, and one more for each attachment. They
	// may be sent to any number of sockets.
	Encode(p Packet) ([]*engineio.Frame, error)
	// NewDecoder reads the packets of one connection.
	NewDecoder(limits DecoderLimits) Decoder
}

// DecoderLimits bound what one packet may cost.
type DecoderLimits struct {
	Attached int64 // bytes of a packet's attachments together
}

// Decoder puts packets together from the messages of one connection, one after
// the other.
type Decoder interface {
	// Add takes a message, which it does not keep. The packet is nil where more
	// has to follow. An error ends the connection.
	Add(data []byte, binary bool) (*Packet, error)
}

// JSON is the stock parser, socket.io-parser of protocol 5.
func JSON() Parser { return jsonParser{} }

// Msgpack is socket.io-msgpack-parser.
func Msgpack() Parser { return msgpackParser{} }
