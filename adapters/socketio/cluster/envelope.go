package cluster

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// The two packet types a broadcast can have, as in socket.io-parser.
const (
	packetEvent       = 2
	packetBinaryEvent = 5
)

// encodePacket lists the members in Node's order. The classic adapter names
// the namespace, the others, with an empty nsp, do not.
func encodePacket(p Packet, nsp string) object {
	kind := p.Type
	if kind == 0 {
		kind = packetEvent
	}
	out := object{{"type", kind}, {"data", p.Data}}
	if nsp != "" {
		out = append(out, member{"nsp", nsp})
	}
	if p.ID != nil {
		out = append(out, member{"id", *p.ID})
	}
	return out
}

// encodeOptions is what opts looks like in every adapter; flags are left out of
// requests that Node sends without them.
func encodeOptions(o Options, withFlags bool) object {
	out := object{{"rooms", list(unique(o.Rooms))}, {"except", list(unique(o.Except))}}
	if withFlags {
		out = append(out, member{"flags", encodeFlags(o.Flags)})
	}
	return out
}

// encodeFlags keeps the order in which Node's chains set them.
func encodeFlags(f Flags) object {
	out := object{}
	if f.ExpectSingleResponse {
		out = append(out, member{"expectSingleResponse", true})
	}
	if f.Broadcast {
		out = append(out, member{"broadcast", true})
	}
	if f.Binary {
		out = append(out, member{"binary", true})
	}
	if f.Volatile {
		out = append(out, member{"volatile", true})
	}
	if f.Compress != nil {
		out = append(out, member{"compress", *f.Compress})
	}
	if f.Timeout > 0 {
		out = append(out, member{"timeout", math.Ceil(float64(f.Timeout) / float64(time.Millisecond))})
	}
	return out
}

// unique is the list as a JavaScript Set: each once, in order.
func unique(names []string) []string {
	if len(names) < 2 {
		return names
	}
	seen := make(map[string]struct{}, len(names))
	out := make([]string, 0, len(names))
	for _, n := range names {
		if _, ok := seen[n]; !ok {
			seen[n] = struct{}{}
			out = append(out, n)
		}
	}
	return out
}

// list makes sure that an empty list is written as one.
func list(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

// decodePacket accepts what Node would encode for clients: an event with a name.
func decodePacket(v any) (Packet, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return Packet{}, fmt.Errorf("%w: packet is a %T", errMalformed, v)
	}
	kind, ok := m["type"].(float64)
	if !ok || (kind != packetEvent && kind != packetBinaryEvent) {
		return Packet{}, fmt.Errorf("%w: packet type %v", errMalformed, m["type"])
	}
	data, err := decodeEvent(m["data"])
	if err != nil {
		return Packet{}, err
	}
	p := Packet{Type: int(kind), Data: data}
	switch nsp := m["nsp"].(type) {
	case string:
		p.Nsp = nsp
	case nil:
		p.Nsp = "/"
	default:
		return Packet{}, fmt.Errorf("%w: namespace is a %T", errMalformed, nsp)
	}
	if id, ok := m["id"].(float64); ok && id >= 0 && id <= 1<<53 && id == math.Trunc(id) {
		n := uint64(id)
		p.ID = &n
	}
	return p, nil
}

// decodeEvent accepts a name and its arguments.
func decodeEvent(v any) ([]any, error) {
	data, ok := v.([]any)
	if !ok || len(data) == 0 {
		return nil, fmt.Errorf("%w: an event that is no list", errMalformed)
	}
	if _, ok := data[0].(string); !ok {
		return nil, fmt.Errorf("%w: event name is a %T", errMalformed, data[0])
	}
	return data, nil
}

func decodeOptions(v any) (Options, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return Options{}, fmt.Errorf("%w: options are a %T", errMalformed, v)
	}
	rooms, err := names(m["rooms"])
	if err != nil {
		return Options{}, err
	}
	except, err := names(m["except"])
	if err != nil {
		return Options{}, err
	}
	return Options{Rooms: rooms, Except: except, Flags: decodeFlags(m["flags"])}, nil
}

// names reads a list of rooms. Node allows numbers as rooms; here they are
// their decimal strings. A missing list is empty, as new Set(undefined) is.
func names(v any) ([]string, error) {
	if v == nil {
		return nil, nil
	}
	in, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: rooms are a %T", errMalformed, v)
	}
	out := make([]string, 0, len(in))
	for _, e := range in {
		switch e := e.(type) {
		case string:
			out = append(out, e)
		case float64:
			out = append(out, string(appendNumber(nil, e)))
		default:
			return nil, fmt.Errorf("%w: a room is a %T", errMalformed, e)
		}
	}
	return unique(out), nil
}

// maxTimeout is what setTimeout can hold.
const maxTimeout = math.MaxInt32

// decodeFlags takes what it understands: flags are advice, none is worth losing
// the message for.
func decodeFlags(v any) Flags {
	m, _ := v.(map[string]any)
	var f Flags
	f.Volatile, _ = m["volatile"].(bool)
	f.Broadcast, _ = m["broadcast"].(bool)
	f.Binary, _ = m["binary"].(bool)
	f.ExpectSingleResponse, _ = m["expectSingleResponse"].(bool)
	if c, ok := m["compress"].(bool); ok {
		f.Compress = &c
	}
	if ms, ok := m["timeout"].(float64); ok && ms > 0 {
		f.Timeout = time.Duration(min(ms, maxTimeout) * float64(time.Millisecond))
	}
	return f
}

// encodeSockets writes sockets as fetchSockets sends them.
func encodeSockets(sockets []Socket) []any {
	out := make([]any, 0, len(sockets))
	for _, s := range sockets {
		data := s.Data
		if data == nil {
			data = object{} // what socket.data is in Node until somebody sets it
		}
		out = append(out, object{
			{"id", s.ID},
			{"handshake", encodeHandshake(s.Handshake)},
			{"rooms", list(s.Rooms)},
			{"data", data},
		})
	}
	return out
}

// handshakeOrder is the order of Socket#handshake in Node.
var handshakeOrder = []string{"headers", "time", "address", "xdomain", "secure", "issued", "url", "query", "auth"}

func encodeHandshake(h map[string]any) object {
	out := make(object, 0, len(h))
	for _, k := range handshakeOrder {
		if v, ok := h[k]; ok {
			out = append(out, member{k, v})
		}
	}
	for _, k := range keysOf(h) {
		if !slices.Contains(handshakeOrder, k) {
			out = append(out, member{k, h[k]})
		}
	}
	return out
}

func decodeSockets(v any) ([]Socket, error) {
	in, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: sockets are a %T", errMalformed, v)
	}
	out := make([]Socket, 0, len(in))
	for _, e := range in {
		m, ok := e.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%w: a socket is a %T", errMalformed, e)
		}
		id, ok := m["id"].(string)
		if !ok {
			return nil, fmt.Errorf("%w: a socket without an id", errMalformed)
		}
		rooms, err := names(m["rooms"])
		if err != nil {
			return nil, err
		}
		handshake, _ := m["handshake"].(map[string]any)
		out = append(out, Socket{ID: id, Handshake: handshake, Rooms: rooms, Data: m["data"]})
	}
	return out, nil
}
