package hub

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"parley/adapters/js"
)

// maxAttachments is how many attachments a packet may have; as in Node.
const maxAttachments = 10

// textDecoder reads packets as socket.io-parser does, oddities included: what
// Node lets pass passes, what closes a connection there closes it here.
type textDecoder struct {
	types.EventEmitter
	limit int64 // bytes of attachments that wait for the rest

	mu   sync.Mutex // Destroy comes from elsewhere
	open *attached
}

// attached is a packet whose attachments are still on their way.
type attached struct {
	packet *parser.Packet
	want   int
	have   [][]byte
	bytes  int64
}

// Add takes what came as one frame. An error ends the connection.
func (d *textDecoder) Add(data any) error {
	b, text, err := contents(data)
	if err != nil {
		return err
	}
	packet, err := d.add(b, text)
	if err != nil || packet == nil {
		return err
	}
	d.Emit("decoded", packet)
	return nil
}

func (d *textDecoder) add(b []byte, text bool) (*parser.Packet, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case text && len(b) == 0:
		// Node's engine hands on nothing, not even an empty text, which its parser
		// would read as a CONNECT.
		return nil, fmt.Errorf("%w: an empty packet", js.ErrMalformed)
	case text && d.open != nil:
		return nil, fmt.Errorf("%w: text among attachments", js.ErrMalformed)
	case text:
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
	d.open.have = append(d.open.have, append([]byte{}, b...))
	if len(d.open.have) < d.open.want {
		return nil, nil
	}
	packet := d.open.packet
	var err error
	packet.Data, err = (&attaching{attachments: d.open.have, room: d.limit}).attach(packet.Data)
	d.open = nil
	return packet, err
}

// Destroy forgets what is not complete.
func (d *textDecoder) Destroy() {
	d.mu.Lock()
	d.open = nil
	d.mu.Unlock()
}

// readPacket reads the text of a packet; attachments is how many follow it.
func readPacket(s string) (p *parser.Packet, attachments int, err error) {
	p = &parser.Packet{Nsp: "/"}
	if s != "" {
		// Number(" ") is 0.
		if !isSpace(s[0]) {
			p.Type = parser.PacketType(s[0]) - '0'
		}
		s = s[1:]
	}
	if !p.Type.Valid() {
		return nil, 0, fmt.Errorf("%w: no such type of packet", js.ErrMalformed)
	}
	if p.Type >= parser.BINARY_EVENT {
		count, rest, ok := strings.Cut(s, "-")
		n, err := strconv.ParseUint(count, 10, 32)
		if !ok || err != nil || n < 1 || n > maxAttachments {
			return nil, 0, fmt.Errorf("%w: attachments", js.ErrMalformed)
		}
		s, attachments = rest, int(n)
		p.Type -= parser.BINARY_EVENT - parser.EVENT
	}
	if strings.HasPrefix(s, "/") {
		p.Nsp, s, _ = strings.Cut(s, ",")
	}
	if p.Id, s, err = readID(s); err != nil {
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
	p.Data = forLibrary(p.Type, data)
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

// reserved are the names no client may give an event.
var reserved = map[string]bool{
	"connect": true, "connect_error": true, "disconnect": true, "disconnecting": true, "newListener": true, "removeListener": true,
}

// fits says whether the payload is one of such a packet.
func fits(kind parser.PacketType, data any) bool {
	_, object := data.(js.Object)
	list, isList := data.([]any)
	switch kind {
	case parser.CONNECT:
		return object
	case parser.CONNECT_ERROR:
		_, text := data.(string)
		return object || text
	case parser.ACK:
		return isList
	case parser.EVENT:
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

// forLibrary turns the payload into what the library and event handlers know:
// nil for none, maps for objects. Answers keep their order of keys: they go on
// to other pods.
func forLibrary(kind parser.PacketType, data any) any {
	switch {
	case data == any(js.Undefined{}):
		return nil
	case kind == parser.ACK:
		return data
	}
	return js.Plain(data)
}

// attaching puts attachments where the placeholders are. A packet may name one
// again and again, which costs nothing here and very much where it is written
// out for other pods: what is put in has to find room.
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
