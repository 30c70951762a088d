package hub

import "encoding/binary"

// frames follows what a WebSocket server writes, frame by frame: a write is a
// frame, or the beginning of one whose rest the next writes are.
type frames struct {
	left  uint64 // bytes of the frame that are still to come
	final bool   // it ends a message
}

// ends takes the next write and says whether a message ends with it.
func (f *frames) ends(p []byte) bool {
	if f.left == 0 {
		f.begin(p)
	}
	f.left -= min(f.left, uint64(len(p)))
	return f.left == 0 && f.final
}

func (f *frames) begin(p []byte) {
	const final, opcode, control = 0x80, 0x0f, 0x8
	f.final = false
	if len(p) < 2 {
		return
	}
	f.final = p[0]&final != 0 && p[0]&opcode < control
	switch length := p[1] & 0x7f; {
	case length == 127 && len(p) >= 10:
		f.left = 10 + binary.BigEndian.Uint64(p[2:])
	case length == 126 && len(p) >= 4:
		f.left = 4 + uint64(binary.BigEndian.Uint16(p[2:]))
	default:
		f.left = 2 + uint64(length)
	}
}
