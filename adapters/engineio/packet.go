package engineio

import (
	"encoding/base64"
	"fmt"
)

// The packets of Engine.IO, by their type on the wire.
const (
	packetOpen    = '0'
	packetClose   = '1'
	packetPing    = '2'
	packetPong    = '3'
	packetMessage = '4'
	packetUpgrade = '5'
	packetNoop    = '6'
	packetNone    = 0 // what is no packet
)

type packet struct {
	kind   byte
	data   []byte
	binary bool
}

// parseFrame reads a WebSocket message.
func parseFrame(protocol int, binary bool, b []byte) (packet, error) {
	switch {
	case !binary:
		return parseText(protocol, b)
	case protocol == 4:
		return packet{kind: packetMessage, data: b, binary: true}, nil
	}
	return parseBinary(b), nil
}

// parseText reads a packet of text; a message in base64 is binary.
func parseText(protocol int, b []byte) (packet, error) {
	switch {
	case len(b) == 0:
		return packet{}, fmt.Errorf("%w: it is empty", errPacket)
	case b[0] == 'b' && protocol == 4:
		return packet{kind: packetMessage, data: decodeBase64(b[1:]), binary: true}, nil
	case b[0] == 'b' && len(b) > 1:
		return packet{kind: knownKind(b[1]), data: decodeBase64(b[2:]), binary: true}, nil
	case b[0] == 'b':
		return packet{kind: packetNoop}, nil
	case b[0] < packetOpen || b[0] > packetNoop:
		return packet{}, fmt.Errorf("%w: type %q", errPacket, b[0])
	}
	return packet{kind: b[0], data: b[1:]}, nil
}

// knownKind is what Node makes of a type that it does not check.
func knownKind(kind byte) byte {
	if kind < packetOpen || kind > packetNoop {
		return packetNoop
	}
	return kind
}

// parseBinary reads a binary packet of protocol 3. Node looks at none of a type
// it does not know.
func parseBinary(b []byte) packet {
	if len(b) == 0 || b[0] > packetNoop-packetOpen {
		return packet{kind: packetNoop}
	}
	return packet{kind: packetOpen + b[0], data: b[1:], binary: true}
}

// decodeBase64 reads what Node's Buffer.from does: either alphabet, padded or
// not, to the first "=", whatever else is in it left out.
func decodeBase64(b []byte) []byte {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	if n, err := base64.StdEncoding.Strict().Decode(out, b); err == nil {
		return out[:n]
	}
	plain := make([]byte, 0, len(b))
scan:
	for _, c := range b {
		switch {
		case c == '=':
			break scan
		case c == '-':
			plain = append(plain, '+')
		case c == '_':
			plain = append(plain, '/')
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '+', c == '/':
			plain = append(plain, c)
		}
	}
	if len(plain)%4 == 1 { // six bits make no byte
		plain = plain[:len(plain)-1]
	}
	out = make([]byte, base64.RawStdEncoding.DecodedLen(len(plain)))
	n, err := base64.RawStdEncoding.Decode(out, plain)
	if err != nil { // cannot be: all of it is of the alphabet
		return nil
	}
	return out[:n]
}

// receive takes one packet from the client. It needs s.turn.
func (s *Session) receive(p packet) {
	if !s.isOpen() {
		return
	}
	s.hears(p.kind)
	switch p.kind {
	case packetPing:
		if s.protocol == 4 {
			s.fail(TransportError, errHeartbeat)
			return
		}
		s.Push(pongPacket)
		s.Flush()
	case packetPong:
		if s.protocol == 3 {
			s.fail(TransportError, errHeartbeat)
		}
	case packetMessage:
		s.hand(p)
	}
}

func (s *Session) hand(p packet) {
	defer s.recovered("Message")
	s.server.handler.Message(s, p.data, p.binary)
}
