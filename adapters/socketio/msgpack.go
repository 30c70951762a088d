package socketio

import (
	"fmt"
	"math"

	"parley/adapters/engineio"
	"parley/adapters/js"
)

type msgpackParser struct{}

// Encode is the packet as an object, its members in the order in which Node
// happens to set them.
func (msgpackParser) Encode(p Packet) ([]*engineio.Frame, error) {
	b, err := appendMsgpack(make([]byte, 0, 256), p)
	if err != nil {
		return nil, err
	}
	return []*engineio.Frame{engineio.NewFrame(b, true)}, nil
}

func appendMsgpack(b []byte, p Packet) ([]byte, error) {
	nsp := p.Nsp
	if nsp == "" {
		nsp = "/"
	}
	kind, name := js.Member{Key: "type", Value: int(p.Type)}, js.Member{Key: "nsp", Value: nsp}
	o := make(js.Object, 0, 4)
	data := func() {
		if p.Data != nil {
			o = append(o, js.Member{Key: "data", Value: p.Data})
		}
	}
	id := func() {
		if p.ID != nil {
			o = append(o, js.Member{Key: "id", Value: *p.ID})
		}
	}
	switch {
	case p.Type == TypeAck:
		id()
		o = append(o, kind)
		data()
		o = append(o, name)
	case p.Type == TypeConnectError && nsp != "/":
		o = append(o, kind, name)
		data()
	default:
		o = append(o, kind)
		data()
		o = append(o, name)
		id()
	}
	return js.AppendNotepack2(b, o)
}

// NewDecoder reads packets as socket.io-msgpack-parser does: each is one
// MessagePack object.
func (msgpackParser) NewDecoder(DecoderLimits) Decoder { return msgpackDecoder{} }

type msgpackDecoder struct{}

func (msgpackDecoder) Add(b []byte, binary bool) (*Packet, error) {
	if !binary {
		return nil, fmt.Errorf("%w: text where MessagePack is spoken", js.ErrMalformed)
	}
	return readMsgpack(string(b))
}

func readMsgpack(s string) (*Packet, error) {
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
	if !ok || kind != math.Trunc(kind) || kind < float64(TypeConnect) || kind > float64(TypeConnectError) {
		return nil, fmt.Errorf("%w: no such type of packet", js.ErrMalformed)
	}
	p := &Packet{Type: PacketType(kind)}
	if p.Nsp, ok = m["nsp"].(string); !ok {
		return nil, fmt.Errorf("%w: namespace", js.ErrMalformed)
	}
	data, given := m["data"]
	switch p.Type {
	case TypeConnect:
		_, ok = data.(js.Object)
		ok = ok || !given
	case TypeDisconnect:
		ok = !given
	case TypeConnectError:
		ok = fits(p.Type, data)
	default:
		var list []any
		list, ok = data.([]any)
		if p.Type == TypeEvent && len(list) > 0 {
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
		p.ID = new(uint64)
		*p.ID = uint64(n)
	}
	if given {
		p.Data = payload(p.Type, data)
	}
	return p, nil
}
