package hub

import (
	"encoding/json"
	"io"
	"net"
	"strings"
	"time"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	sio "github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"parley/adapters/cluster"
)

// The translations between the library's words and the cluster's.

func selectionOf(opts *sio.BroadcastOptions) selection {
	var sel selection
	if opts != nil {
		if opts.Rooms != nil {
			sel.rooms = stringsOf(opts.Rooms.Keys())
		}
		if opts.Except != nil {
			sel.except = stringsOf(opts.Except.Keys())
		}
	}
	sel.all = len(sel.rooms) == 0
	return sel
}

func selectionFrom(o cluster.Options) selection {
	return selection{rooms: o.Rooms, except: o.Except, all: len(o.Rooms) == 0}
}

func flagsOf(opts *sio.BroadcastOptions) sio.BroadcastFlags {
	if opts == nil || opts.Flags == nil {
		return sio.BroadcastFlags{}
	}
	return *opts.Flags
}

func wireOptions(sel selection, flags sio.BroadcastFlags) cluster.Options {
	o := cluster.Options{Rooms: sel.rooms, Except: sel.except, Flags: cluster.Flags{
		Volatile: flags.Volatile, Compress: flags.Compress, Broadcast: flags.Broadcast,
		Binary: flags.Binary, ExpectSingleResponse: flags.ExpectSingleResponse,
	}}
	if flags.Timeout != nil {
		o.Flags.Timeout = *flags.Timeout
	}
	return o
}

func stringsOf(rooms []sio.Room) []string {
	names := make([]string, len(rooms))
	for i, r := range rooms {
		names[i] = string(r)
	}
	return names
}

// plain replaces the library's buffers, which can be read once, by their bytes,
// which both the clients' and the pods' encoders understand.
func plain(data any) any {
	if !parser.HasBinary(data) {
		return data
	}
	switch v := data.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = plain(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = plain(e)
		}
		return out
	case types.BufferInterface:
		return append([]byte{}, v.Bytes()...)
	case io.Reader:
		b, err := io.ReadAll(v)
		if err != nil {
			return nil
		}
		return b
	default:
		return data
	}
}

// describe is what other pods are told about a socket. Its token stays here.
func describe(m *member, rooms []string) cluster.Socket {
	h := m.socket.Handshake()
	query := make(map[string]any, len(h.Query))
	for k, v := range h.Query {
		if k != "token" {
			query[k] = asNode(v, "")
		}
	}
	// Go keeps the Host apart from the other headers.
	headers := map[string]any{"host": m.socket.Request().Request().Host}
	for k, v := range h.Headers {
		if k != "Authorization" && k != "Cookie" {
			headers[strings.ToLower(k)] = asNode(v, ", ")
		}
	}
	return cluster.Socket{
		ID: m.id, Rooms: rooms, Data: m.socket.Data(),
		Handshake: map[string]any{
			"headers": headers, "time": jsTime(h.Issued), "address": hostOf(h.Address), "xdomain": h.Xdomain,
			"secure": h.Secure, "issued": h.Issued, "url": m.server.opts.Path + "/", "query": query,
			"auth": map[string]any{},
		},
	}
}

// jsTime prints a time, given in Unix ms, as JavaScript's Date turns into text.
func jsTime(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("Mon Jan 02 2006 15:04:05 GMT+0000 (Coordinated Universal Time)")
}

// hostOf drops the port of an address, which Node does not show.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// asNode shows a query value or a header as Node does: alone where there is one,
// several as a list, or joined where a separator is given.
func asNode(v any, separator string) any {
	list, ok := v.([]string)
	switch {
	case !ok:
		return v
	case len(list) == 1:
		return list[0]
	case separator != "":
		return strings.Join(list, separator)
	}
	values := make([]any, len(list))
	for i, s := range list {
		values[i] = s
	}
	return values
}

// remote is a socket of another pod as the library wants to see it.
type remote struct{ s cluster.Socket }

func (r remote) Id() sio.SocketId { return sio.SocketId(r.s.ID) }
func (r remote) Data() any        { return r.s.Data }

func (r remote) Rooms() *types.Set[sio.Room] {
	rooms := types.NewSet[sio.Room]()
	for _, name := range r.s.Rooms {
		rooms.Add(sio.Room(name))
	}
	return rooms
}

func (r remote) Handshake() *sio.Handshake {
	h := &sio.Handshake{}
	b, err := json.Marshal(r.s.Handshake)
	if err != nil {
		return h
	}
	// A handshake of another kind of server is shown as far as it is understood.
	_ = json.Unmarshal(b, h)
	return h
}
