package hub

import (
	"fmt"
	"math"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"parley/adapters/js"
)

// spellMsgpack is the packet as an object, its members in the order in which
// Node happens to set them.
func spellMsgpack(p *parser.Packet) ([]types.BufferInterface, error) {
	members := map[string]any{"type": int(p.Type), "nsp": p.Nsp}
	if p.Data != nil {
		members["data"] = p.Data
	}
	if p.Id != nil {
		members["id"] = *p.Id
	}
	order := []string{"type", "data", "nsp", "id"}
	switch {
	case p.Type == parser.ACK:
		order = []string{"id", "type", "data", "nsp"}
	case p.Type == parser.CONNECT_ERROR && p.Nsp != "/":
		order = []string{"type", "nsp", "data"}
	}
	o := make(js.Object, 0, len(order))
	for _, key := range order {
		if v, ok := members[key]; ok {
			o = append(o, js.Member{Key: key, Value: v})
		}
	}
	b, err := js.AppendNotepack2(make([]byte, 0, 256), o)
	if err != nil {
		return nil, err
	}
	return []types.BufferInterface{types.NewBytesBuffer(b)}, nil
}

// msgpackDecoder reads packets as socket.io-msgpack-parser does: each is one
// MessagePack object.
type msgpackDecoder struct{ types.EventEmitter }

// Add takes what came as one frame. An error ends the connection.
func (d *msgpackDecoder) Add(data any) error {
	b, text, err := contents(data)
	if err == nil && text {
		err = fmt.Errorf("%w: text where MessagePack is spoken", js.ErrMalformed)
	}
	if err != nil {
		return err
	}
	packet, err := readMsgpack(string(b))
	if err != nil {
		return err
	}
	d.Emit("decoded", packet)
	return nil
}

// Destroy has nothing to forget.
func (d *msgpackDecoder) Destroy() {}

// maxGoodbye is how long a DISCONNECT in MessagePack can sensibly be.
const maxGoodbye = 64

// ends says whether a frame is a DISCONNECT.
func (p packets) ends(data any) bool {
	switch v := data.(type) {
	case *types.StringBuffer:
		return !p.msgpack && v.Len() > 0 && v.Bytes()[0] == '1'
	case types.BufferInterface:
		if !p.msgpack || v.Len() > maxGoodbye {
			return false
		}
		packet, err := readMsgpack(string(v.Bytes()))
		return err == nil && packet.Type == parser.DISCONNECT
	}
	return false
}

func readMsgpack(s string) (*parser.Packet, error) {
	v, err := js.ParseMsgpack(s)
	if err != nil {
		return nil, err
	}
	o, ok := v.(js.Object)
	if !ok {
		return nil, fmt.Errorf("%w: a packet is an object", js.ErrMalformed)
	}
	m := o.Map()
	kind, ok := m["type"].(float64)
	if !ok || kind != math.Trunc(kind) || kind < float64(parser.CONNECT) || kind > float64(parser.CONNECT_ERROR) {
		return nil, fmt.Errorf("%w: no such type of packet", js.ErrMalformed)
	}
	p := &parser.Packet{Type: parser.PacketType(kind)}
	if p.Nsp, ok = m["nsp"].(string); !ok {
		return nil, fmt.Errorf("%w: namespace", js.ErrMalformed)
	}
	data, given := m["data"]
	switch p.Type {
	case parser.CONNECT:
		_, ok = data.(js.Object)
		ok = ok || !given
	case parser.DISCONNECT:
		ok = !given
	case parser.CONNECT_ERROR:
		ok = fits(p.Type, data)
	default:
		var list []any
		list, ok = data.([]any)
		if p.Type == parser.EVENT && len(list) > 0 {
			// Node's lets clients make up the names it uses itself.
			name, _ := list[0].(string)
			ok = !reserved[name]
		}
	}
	if !ok {
		return nil, fmt.Errorf("%w: no payload of a %s", js.ErrMalformed, p.Type)
	}
	if id, given := m["id"]; given {
		n, ok := id.(float64)
		if !ok || n != math.Trunc(n) || n < 0 || n >= 1<<64 {
			return nil, fmt.Errorf("%w: id", js.ErrMalformed)
		}
		p.Id = new(uint64)
		*p.Id = uint64(n)
	}
	if given {
		p.Data = forLibrary(p.Type, data)
	}
	return p, nil
}
