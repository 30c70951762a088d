package hub

import (
	"io"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	sio "github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"parley/adapters/js"
)

// packets is how Socket.IO packets are spelled for clients and read from them:
// as the stock parser does, or as socket.io-msgpack-parser does. The library's
// own parser sorts keys, damages some texts and reads what Node does not.
type packets struct {
	msgpack bool
	// attached bounds the bytes of a packet's attachments together.
	attached int64
	// pid completes the answer to a CONNECT; nil where clients cannot come back.
	pid    func(sid string) string
	failed func(error)
}

func (p packets) NewEncoder() parser.Encoder { return p }

func (p packets) NewDecoder() parser.Decoder {
	if p.msgpack {
		return &msgpackDecoder{EventEmitter: types.NewEventEmitter()}
	}
	return &textDecoder{EventEmitter: types.NewEventEmitter(), limit: p.attached}
}

// connectData is what the library answers a CONNECT with.
type connectData = struct {
	Sid sio.SocketId         `json:"sid" msgpack:"sid"`
	Pid sio.PrivateSessionId `json:"pid,omitempty" msgpack:"pid,omitempty"`
}

// Encode spells a packet. What cannot be encoded goes out without its data, as
// the library has no way to hear of it.
func (p packets) Encode(packet *parser.Packet) []types.BufferInterface {
	spell := spellText
	if p.msgpack {
		spell = spellMsgpack
	}
	own := *packet
	own.Data = p.payload(packet)
	all, err := spell(&own)
	if err != nil {
		p.failed(err)
		own.Data = nil
		all, _ = spell(&own)
	}
	return all
}

// payload puts what the library says itself into Node's order.
func (p packets) payload(packet *parser.Packet) any {
	switch data := packet.Data.(type) {
	case *connectData:
		o := js.Object{{Key: "sid", Value: string(data.Sid)}}
		if p.pid != nil {
			if pid := p.pid(string(data.Sid)); pid != "" {
				o = append(o, js.Member{Key: "pid", Value: pid})
			}
		}
		return o
	case map[string]any:
		message, hasMessage := data["message"]
		more, hasMore := data["data"]
		if packet.Type == parser.CONNECT_ERROR && hasMessage && hasMore && len(data) == 2 {
			return js.Object{{Key: "message", Value: message}, {Key: "data", Value: more}}
		}
		return data
	}
	return packet.Data
}

// spellText is <type>[<attachments>-][<namespace>,][<id>][<JSON>], and the
// attachments behind it.
func spellText(p *parser.Packet) ([]types.BufferInterface, error) {
	kind := p.Type
	var text []byte
	var attachments [][]byte
	if p.Data != nil {
		var err error
		switch kind {
		case parser.EVENT, parser.ACK:
			text, attachments, err = js.AppendJSONWithout(make([]byte, 0, 256), p.Data)
		default:
			text, err = js.AppendJSON(make([]byte, 0, 256), p.Data)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(attachments) > 0 {
		kind += parser.BINARY_EVENT - parser.EVENT
	}
	b := make([]byte, 0, len(text)+len(p.Nsp)+24)
	b = append(b, byte(kind)+'0')
	if len(attachments) > 0 {
		b = append(js.AppendNumber(b, float64(len(attachments))), '-')
	}
	if p.Nsp != "" && p.Nsp != "/" {
		b = append(append(b, p.Nsp...), ',')
	}
	if p.Id != nil {
		b = js.AppendNumber(b, float64(*p.Id))
	}
	all := make([]types.BufferInterface, 0, 1+len(attachments))
	all = append(all, types.NewStringBuffer(append(b, text...)))
	for _, a := range attachments {
		all = append(all, types.NewBytesBuffer(a))
	}
	return all, nil
}

// contents returns the bytes the engine hands to a decoder, and whether they
// are text.
func contents(data any) (b []byte, text bool, err error) {
	switch v := data.(type) {
	case *types.StringBuffer:
		return v.Bytes(), true, nil
	case string:
		return []byte(v), true, nil
	case types.BufferInterface:
		return v.Bytes(), false, nil
	case []byte:
		return v, false, nil
	case io.Reader:
		b, err = io.ReadAll(v)
		return b, false, err
	}
	return nil, false, js.ErrMalformed
}
