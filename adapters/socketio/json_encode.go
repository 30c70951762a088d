package socketio

import (
	"parley/adapters/engineio"
	"parley/adapters/js"
)

type jsonParser struct{}

// Encode is <type>[<attachments>-][<namespace>,][<id>][<JSON>], and the
// attachments behind it.
func (jsonParser) Encode(p Packet) ([]*engineio.Frame, error) {
	text, attachments, err := appendText(nil, p)
	if err != nil {
		return nil, err
	}
	frames := make([]*engineio.Frame, 0, 1+len(attachments))
	frames = append(frames, engineio.NewFrame(text, false))
	for _, a := range attachments {
		frames = append(frames, engineio.NewFrame(a, true))
	}
	return frames, nil
}

func appendText(b []byte, p Packet) (text []byte, attachments [][]byte, err error) {
	kind := p.Type
	var data []byte
	if p.Data != nil {
		switch kind {
		case TypeEvent, TypeAck:
			data, attachments, err = js.AppendJSONWithout(make([]byte, 0, 256), p.Data)
		default:
			data, err = js.AppendJSON(make([]byte, 0, 256), p.Data)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	if len(attachments) > 0 {
		kind += binaryEvent - TypeEvent
	}
	if b == nil {
		b = make([]byte, 0, len(data)+len(p.Nsp)+24)
	}
	b = append(b, byte(kind)+'0')
	if len(attachments) > 0 {
		b = append(js.AppendNumber(b, float64(len(attachments))), '-')
	}
	if p.Nsp != "" && p.Nsp != "/" {
		b = append(append(b, p.Nsp...), ',')
	}
	if p.ID != nil {
		b = js.AppendNumber(b, float64(*p.ID))
	}
	return append(b, data...), attachments, nil
}
