package socketio

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"parley/adapters/js"
)

// NewDecoder reads packets as socket.io-parser does, oddities included: what
// Node lets pass passes, what closes a connection there closes it here.
func (jsonParser) NewDecoder(limits DecoderLimits) Decoder {
	return &jsonDecoder{limit: limits.Attached}
}

type jsonDecoder struct {
	limit int64 // bytes of attachments that wait for the rest
	open  *attached
}

// attached is a packet whose attachments are still on their way.
type attached struct {
	packet *Packet
	want   int
	have   [][]byte
	bytes  int64
}

func (d *jsonDecoder) Add(b []byte, binary bool) (*Packet, error) {
	switch {
	case !binary && len(b) == 0:
		// Node's engine hands on nothing, not even an empty text, which its parser
		// would read as a CONNECT.
		return nil, fmt.Errorf("%w: an empty packet", js.ErrMalformed)
	case !binary && d.open != nil:
		return nil, fmt.Errorf("%w: text among attachments", js.ErrMalformed)
	case !binary:
		packet, attachments, err := readPacket(string(b))
		if err != nil || attachments == 0 {
			return packet, err
		}
		d.open = &attached{packet: packet, want: attachments}
		return nil, nil
	case d.open == nil:
		return nil, fmt.Errorf("%w: an attachment of nothing", js.ErrMalformed)
	}
	if d.open.bytes += int64(len(b)); d.open.bytes > d.limit {
		return nil, fmt.Errorf("%w: attachments", js.ErrTooLarge)
	}
	d.open.have = append(d.open.have, bytes.Clone(b))
	if len(d.open.have) < d.open.want {
		return nil, nil
	}
	packet := d.open.packet
	var err error
	packet.Data, err = (&attaching{attachments: d.open.have, room: d.limit}).attach(packet.Data)
	d.open = nil
	return packet, err
}

// readPacket reads the text of a packet; attachments is how many follow it.
func readPacket(s string) (p *Packet, attachments int, err error) {
	p = &Packet{Nsp: "/"}
	if s != "" {
		// Number(" ") is 0.
		if !isSpace(s[0]) {
			p.Type = PacketType(s[0] - '0')
		}
		s = s[1:]
	}
	if p.Type > binaryAck {
		return nil, 0, fmt.Errorf("%w: no such type of packet", js.ErrMalformed)
	}
	if p.Type >= binaryEvent {
		count, rest, ok := strings.Cut(s, "-")
		n, err := strconv.ParseUint(count, 10, 32)
		if !ok || err != nil || n < 1 || n > maxAttachments {
			return nil, 0, fmt.Errorf("%w: attachments", js.ErrMalformed)
		}
		s, attachments = rest, int(n)
		p.Type -= binaryEvent - TypeEvent
	}
	if strings.HasPrefix(s, "/") {
		p.Nsp, s, _ = strings.Cut(s, ",")
	}
	if p.ID, s, err = readID(s); err != nil {
		return nil, 0, err
	}
	var data any = js.Undefined{}
	if s != "" {
		if data, err = js.ParseJSON(s); err != nil {
			return nil, 0, err
		}
		if !fits(p.Type, data) {
			return nil, 0, fmt.Errorf("%w: no payload of a %s", js.ErrMalformed, p.Type)
		}
	}
	p.Data = payload(p.Type, data)
	return p, attachments, nil
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// readID reads digits, and white space as Node does: Number(" ") is a number.
func readID(s string) (id *uint64, rest string, err error) {
	n := 0
	for n < len(s) && (s[n] >= '0' && s[n] <= '9' || isSpace(s[n])) {
		n++
	}
	if n == 0 {
		return nil, s, nil
	}
	id = new(uint64)
	if digits := strings.TrimFunc(s[:n], func(r rune) bool { return isSpace(byte(r)) }); digits != "" {
		if *id, err = strconv.ParseUint(digits, 10, 64); err != nil {
			return nil, "", fmt.Errorf("%w: id", js.ErrMalformed)
		}
	}
	return id, s[n:], nil
}

// attaching puts attachments where the placeholders are. A packet may name one
// again and again, which costs nothing here and very much where it is written
// out for other servers: what is put in has to find room.
type attaching struct {
	attachments [][]byte
	room        int64 // bytes
}

func (a *attaching) attach(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case []any:
		for i := range v {
			if v[i], err = a.attach(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		if v["_placeholder"] == true {
			return a.take(v["num"])
		}
		for k := range v {
			if v[k], err = a.attach(v[k]); err != nil {
				return nil, err
			}
		}
	case js.Object:
		if flag, _ := v.Get("_placeholder"); flag == true {
			num, _ := v.Get("num")
			return a.take(num)
		}
		for i := range v {
			if v[i].Value, err = a.attach(v[i].Value); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func (a *attaching) take(num any) (any, error) {
	n, ok := num.(float64)
	if !ok || n < 0 || n >= float64(len(a.attachments)) || n != math.Trunc(n) {
		return nil, fmt.Errorf("%w: an attachment that is not there", js.ErrMalformed)
	}
	b := a.attachments[int(n)]
	if a.room -= int64(len(b)); a.room < 0 {
		return nil, fmt.Errorf("%w: attachments named again", js.ErrTooLarge)
	}
	return b, nil
}
