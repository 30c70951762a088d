package cluster

import (
	"fmt"
	"math"
	"slices"
	"time"

	"parley/adapters/js"
)

// The two packet types a broadcast can have, as in socket.io-parser.
const (
	packetEvent       = 2
	packetBinaryEvent = 5
)

// encodePacket lists the members in Node's order. The classic adapter names
// the namespace, the others, with an empty nsp, do not.
func encodePacket(p Packet, nsp string) js.Object {
	kind := p.Type
	if kind == 0 {
		kind = packetEvent
	}
	out := js.Object{{Key: "type", Value: kind}, {Key: "data", Value: p.Data}}
	if nsp != "" {
		out = append(out, js.Member{Key: "nsp", Value: nsp})
	}
	if p.ID != nil {
		out = append(out, js.Member{Key: "id", Value: *p.ID})
	}
	return out
}

// nobody selects no socket: what pods answer is that they are there.
func nobody() Options { return Options{Rooms: []string{longID()}} }

// encodeOptions is what opts looks like in every adapter; flags are left out of
// requests that Node sends without them.
func encodeOptions(o Options, withFlags bool) js.Object {
	out := js.Object{{Key: "rooms", Value: list(unique(o.Rooms))}, {Key: "except", Value: list(unique(o.Except))}}
	if withFlags {
		out = append(out, js.Member{Key: "flags", Value: encodeFlags(o.Flags)})
	}
	return out
}

// encodeFlags keeps the order in which Node's chains set them.
func encodeFlags(f Flags) js.Object {
	out := js.Object{}
	if f.ExpectSingleResponse {
		out = append(out, js.Member{Key: "expectSingleResponse", Value: true})
	}
	if f.Broadcast {
		out = append(out, js.Member{Key: "broadcast", Value: true})
	}
	if f.Binary {
		out = append(out, js.Member{Key: "binary", Value: true})
	}
	if f.Volatile {
		out = append(out, js.Member{Key: "volatile", Value: true})
	}
	if f.Compress != nil {
		out = append(out, js.Member{Key: "compress", Value: *f.Compress})
	}
	if f.Timeout > 0 {
		out = append(out, js.Member{Key: "timeout", Value: math.Ceil(float64(f.Timeout) / float64(time.Millisecond))})
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
	m, ok := v.(js.Object)
	if !ok {
		return Packet{}, fmt.Errorf("%w: packet is a %T", js.ErrMalformed, v)
	}
	kind, ok := m.At("type").(float64)
	if !ok || (kind != packetEvent && kind != packetBinaryEvent) {
		return Packet{}, fmt.Errorf("%w: packet type %s", js.ErrMalformed, brief(m.At("type")))
	}
	data, err := decodeEvent(m.At("data"))
	if err != nil {
		return Packet{}, err
	}
	p := Packet{Type: int(kind), Data: data}
	switch nsp := m.At("nsp").(type) {
	case string:
		p.Nsp = nsp
	case nil:
		p.Nsp = "/"
	default:
		return Packet{}, fmt.Errorf("%w: namespace is a %T", js.ErrMalformed, nsp)
	}
	if id, ok := m.At("id").(float64); ok && id >= 0 && id <= 1<<53 && id == math.Trunc(id) {
		n := uint64(id)
		p.ID = &n
	}
	return p, nil
}

// decodeEvent accepts a name and its arguments.
func decodeEvent(v any) ([]any, error) {
	data, ok := v.([]any)
	if !ok || len(data) == 0 {
		return nil, fmt.Errorf("%w: an event that is no list", js.ErrMalformed)
	}
	if _, ok := data[0].(string); !ok {
		return nil, fmt.Errorf("%w: event name is a %T", js.ErrMalformed, data[0])
	}
	return data, nil
}

func decodeOptions(v any) (Options, error) {
	m, ok := v.(js.Object)
	if !ok {
		return Options{}, fmt.Errorf("%w: options are a %T", js.ErrMalformed, v)
	}
	rooms, err := names(m.At("rooms"))
	if err != nil {
		return Options{}, err
	}
	except, err := names(m.At("except"))
	if err != nil {
		return Options{}, err
	}
	return Options{Rooms: rooms, Except: except, Flags: decodeFlags(m.At("flags"))}, nil
}

// names reads a list of rooms. Node allows numbers as rooms; here they are
// their decimal strings. A missing list is empty, as new Set(undefined) is.
func names(v any) ([]string, error) {
	if v == nil {
		return nil, nil
	}
	in, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: rooms are a %T", js.ErrMalformed, v)
	}
	out := make([]string, 0, len(in))
	for _, e := range in {
		switch e := e.(type) {
		case string:
			out = append(out, e)
		case float64:
			out = append(out, string(js.AppendNumber(nil, e)))
		default:
			return nil, fmt.Errorf("%w: a room is a %T", js.ErrMalformed, e)
		}
	}
	return unique(out), nil
}

// maxTimeout is what setTimeout can hold.
const maxTimeout = math.MaxInt32

// decodeFlags takes what it understands: flags are advice, none is worth losing
// the message for.
func decodeFlags(v any) Flags {
	m, _ := v.(js.Object)
	var f Flags
	f.Volatile, _ = m.At("volatile").(bool)
	f.Broadcast, _ = m.At("broadcast").(bool)
	f.Binary, _ = m.At("binary").(bool)
	f.ExpectSingleResponse, _ = m.At("expectSingleResponse").(bool)
	if c, ok := m.At("compress").(bool); ok {
		f.Compress = &c
	}
	if ms, ok := m.At("timeout").(float64); ok && ms > 0 {
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
			data = js.Object{} // what socket.data is in Node until somebody sets it
		}
		out = append(out, js.Object{
			{Key: "id", Value: s.ID},
			{Key: "handshake", Value: encodeHandshake(s.Handshake)},
			{Key: "rooms", Value: list(s.Rooms)},
			{Key: "data", Value: data},
		})
	}
	return out
}

// handshakeOrder is the order of Socket#handshake in Node.
var handshakeOrder = []string{"headers", "time", "address", "xdomain", "secure", "issued", "url", "query", "auth"}

func encodeHandshake(h map[string]any) js.Object {
	out := make(js.Object, 0, len(h))
	for _, k := range handshakeOrder {
		if v, ok := h[k]; ok {
			out = append(out, js.Member{Key: k, Value: v})
		}
	}
	for _, k := range js.Keys(h) {
		if !slices.Contains(handshakeOrder, k) {
			out = append(out, js.Member{Key: k, Value: h[k]})
		}
	}
	return out
}

func decodeSockets(v any) ([]Socket, error) {
	in, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: sockets are a %T", js.ErrMalformed, v)
	}
	out := make([]Socket, 0, len(in))
	for _, e := range in {
		m, ok := js.Fields(e)
		if !ok {
			return nil, fmt.Errorf("%w: a socket is a %T", js.ErrMalformed, e)
		}
		id, ok := m["id"].(string)
		if !ok {
			return nil, fmt.Errorf("%w: a socket without an id", js.ErrMalformed)
		}
		rooms, err := names(m["rooms"])
		if err != nil {
			return nil, err
		}
		handshake, _ := js.Fields(m["handshake"])
		out = append(out, Socket{ID: id, Handshake: handshake, Rooms: rooms, Data: m["data"]})
	}
	return out, nil
}

// decodePayload reads what Node sends on request and response channels: JSON
// where it starts with a brace, else MessagePack.
func decodePayload(s string) (js.Object, error) {
	var v any
	var err error
	if s != "" && s[0] == '{' {
		v, err = js.ParseJSON(s)
	} else {
		v, err = js.ParseMsgpack(s)
	}
	if err != nil {
		return nil, err
	}
	m, ok := v.(js.Object)
	if !ok {
		return nil, fmt.Errorf("%w: a %T where a map was expected", js.ErrMalformed, v)
	}
	return m, nil
}
