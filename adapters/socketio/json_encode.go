package socketio

import (
	"sync"

	"parley/adapters/engineio"
	"parley/adapters/js"
)

type jsonParser struct{}

// scratch is where packets are spelled, before a frame of the right size is made.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// maxScratch is how large a piece of it may be that is kept.
const maxScratch = 64 << 10

// Encode is <type>[<attachments>-][<namespace>,][<id>][<JSON>], and the
// attachments behind it.
func (jsonParser) Encode(p Packet) ([]*engineio.Frame, error) {
	room, _ := scratch.Get().(*[]byte)
	text, attachments, err := appendText((*room)[:0], p)
	if err != nil {
		return nil, err
	}
	frames := make([]*engineio.Frame, 0, 1+len(attachments))
	frames = append(frames, engineio.NewFrame(text, false))
	for _, a := range attachments {
		frames = append(frames, engineio.NewFrame(a, true))
	}
	if cap(text) <= maxScratch {
		*room = text
		scratch.Put(room)
	}
	return frames, nil
}

func appendText(b []byte, p Packet) (text []byte, attachments [][]byte, err error) {
	from := len(b)
	b = appendHead(b, p, 0)
	data := len(b)
	switch {
	case p.Data == nil:
		return b, nil, nil
	case p.Type == TypeEvent || p.Type == TypeAck:
		b, attachments, err = js.AppendJSONWithout(b, p.Data)
	default:
		b, err = js.AppendJSON(b, p.Data)
	}
	if err != nil || len(attachments) == 0 {
		return b, nil, err
	}
	// How many there are stands before them.
	return append(appendHead(b[:from:from], p, len(attachments)), b[data:]...), attachments, nil
}

// appendHead appends what stands before the JSON.
func appendHead(b []byte, p Packet, attachments int) []byte {
	if attachments > 0 {
		b = append(b, byte(p.Type+binaryEvent-TypeEvent)+'0')
		b = append(js.AppendNumber(b, float64(attachments)), '-')
	} else {
		b = append(b, byte(p.Type)+'0')
	}
	if p.Nsp != "" && p.Nsp != "/" {
		b = append(append(b, p.Nsp...), ',')
	}
	if p.ID != nil {
		b = js.AppendNumber(b, float64(*p.ID))
	}
	return b
}
