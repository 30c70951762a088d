package socketio

import (
	"context"
	"sync/atomic"

	"parley/adapters/engineio"
)

// Namespace is a set of sockets with its own middlewares, handlers and rooms.
// Handlers belong to the namespace and not to each socket, which costs nothing
// for them. All are set before the first connection comes.
type Namespace struct {
	server  *Server
	name    string
	adapter Adapter
	ids     atomic.Uint64 // of what asks for an acknowledgement

	middlewares   []func(context.Context, *Socket) error
	onConnect     func(*Socket)
	onLeaving     func(*Socket, Reason)
	onDisconnect  func(*Socket, Reason)
	events        map[string]listener
	anyEvent      listener
	onServerEvent func(args []any, ack func(answer any))
}

// listener is what handles an event.
type listener struct {
	fn     func(*Socket, *Event)
	inline bool
}

func newNamespace(s *Server, name string) *Namespace {
	n := &Namespace{server: s, name: name, events: map[string]listener{}}
	n.adapter = s.opts.Adapter(n)
	return n
}

// Name is "/" for the main one.
func (n *Namespace) Name() string { return n.name }

// Use adds a middleware, which each CONNECT passes after those added before it.
// It may block, as long as the client waits: ctx ends when that has gone, or was
// let in. An error refuses the socket; a *Refusal says what the client is told.
func (n *Namespace) Use(fn func(ctx context.Context, s *Socket) error) {
	n.middlewares = append(n.middlewares, fn)
}

// OnConnect is called for each socket that was let in, in the moment in which
// its CONNECT is answered: what fn emits to it comes right behind that. It must
// not block.
func (n *Namespace) OnConnect(fn func(*Socket)) { n.onConnect = fn }

// OnLeaving is called once for each socket that OnConnect was called for, the
// moment it is gone and while it still is in its rooms. It must not block.
func (n *Namespace) OnLeaving(fn func(*Socket, Reason)) { n.onLeaving = fn }

// OnDisconnect is called after OnLeaving, and after the handlers of all events
// that came before. It may block.
func (n *Namespace) OnDisconnect(fn func(*Socket, Reason)) { n.onDisconnect = fn }

// On handles an event. The events of one socket are handled one after the
// other, and a handler may block: answers the client gives to what it was asked
// are heard meanwhile.
func (n *Namespace) On(event string, fn func(*Socket, *Event)) { n.events[event] = listener{fn: fn} }

// OnInline handles an event as On does, in the same order, and for less: fn is
// called by the one that reads the connection, unless something is still being
// handled. It must not block: nothing else of its client is heard meanwhile.
func (n *Namespace) OnInline(event string, fn func(*Socket, *Event)) {
	n.events[event] = listener{fn: fn, inline: true}
}

// OnAny handles every event that On does not name.
func (n *Namespace) OnAny(fn func(*Socket, *Event)) { n.anyEvent = listener{fn: fn} }

// OnServerEvent hears what other servers tell with ServerSideEmit; ack is nil
// where no answer is wanted.
func (n *Namespace) OnServerEvent(fn func(args []any, ack func(answer any))) { n.onServerEvent = fn }

// ServerEvent is for adapters: another server tells this one.
func (n *Namespace) ServerEvent(args []any, ack func(answer any)) {
	if n.onServerEvent != nil {
		n.onServerEvent(args, ack)
	}
}

// Encode spells a packet of this namespace once, for any number of sockets.
func (n *Namespace) Encode(p Packet) ([]*engineio.Frame, error) {
	p.Nsp = n.name
	return n.server.opts.Parser.Encode(p)
}

// NextID numbers a packet that asks for an acknowledgement.
func (n *Namespace) NextID() uint64 { return n.ids.Add(1) - 1 }

// Refusal is why a middleware lets a socket not in.
type Refusal struct {
	Message string
	Data    any // nil for none
}

func (r *Refusal) Error() string { return r.Message }
