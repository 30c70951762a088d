package hub

import (
	"context"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	sio "github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"parley/adapters/cluster"
)

// adapter is what the library asks about rooms and gives broadcasts to. It
// keeps no state of its own: the index has it.
type adapter struct {
	sio.Adapter
	s *Server
}

type adapterBuilder struct{ server *Server }

// New is called once, for the main namespace: there is no other.
func (b *adapterBuilder) New(nsp sio.Namespace) sio.Adapter {
	a := &adapter{Adapter: sio.MakeAdapter(), s: b.server}
	a.Prototype(a)
	a.Construct(nsp)
	b.server.adapter = a
	return a
}

// Rooms is a copy, made for who asks.
func (a *adapter) Rooms() *types.Map[sio.Room, *types.Set[sio.SocketId]] {
	all := &types.Map[sio.Room, *types.Set[sio.SocketId]]{}
	a.s.index.mu.Lock()
	defer a.s.index.mu.Unlock()
	for name, r := range a.s.index.rooms {
		ids := types.NewSet[sio.SocketId]()
		for m := range r.members {
			ids.Add(sio.SocketId(m.id))
		}
		all.Store(sio.Room(name), ids)
	}
	return all
}

// Sids is a copy, made for who asks.
func (a *adapter) Sids() *types.Map[sio.SocketId, *types.Set[sio.Room]] {
	all := &types.Map[sio.SocketId, *types.Set[sio.Room]]{}
	a.s.index.mu.Lock()
	defer a.s.index.mu.Unlock()
	for id, m := range a.s.index.members {
		all.Store(sio.SocketId(id), roomSet(m))
	}
	return all
}

func roomSet(m *member) *types.Set[sio.Room] {
	rooms := types.NewSet[sio.Room]()
	for name := range m.rooms {
		rooms.Add(sio.Room(name))
	}
	return rooms
}

// SocketRooms is a copy; nil for a socket that is not there.
func (a *adapter) SocketRooms(id sio.SocketId) *types.Set[sio.Room] {
	a.s.index.mu.Lock()
	defer a.s.index.mu.Unlock()
	m := a.s.index.members[string(id)]
	if m == nil {
		return nil
	}
	return roomSet(m)
}

// AddAll joins rooms. A socket that has left joins nothing any more.
func (a *adapter) AddAll(id sio.SocketId, rooms *types.Set[sio.Room]) {
	names, now := rooms.Keys(), a.s.opts.Now()
	a.s.index.mu.Lock()
	defer a.s.index.mu.Unlock()
	m := a.s.index.members[string(id)]
	if m == nil {
		return
	}
	for _, name := range names {
		a.s.index.join(m, string(name), now)
	}
}

// Del leaves one room.
func (a *adapter) Del(id sio.SocketId, room sio.Room) {
	a.s.index.mu.Lock()
	defer a.s.index.mu.Unlock()
	if m := a.s.index.members[string(id)]; m != nil {
		a.s.index.leave(m, string(room))
	}
}

// DelAll is how the library says that a socket is gone, on every path.
func (a *adapter) DelAll(id sio.SocketId) {
	if m := a.s.index.find(string(id)); m != nil {
		a.s.depart(m)
	}
}

// Sockets returns the connected sockets in any of the rooms.
func (a *adapter) Sockets(rooms *types.Set[sio.Room]) *types.Set[sio.SocketId] {
	ids := types.NewSet[sio.SocketId]()
	for _, m := range a.s.connected(selectionOf(&sio.BroadcastOptions{Rooms: rooms})) {
		ids.Add(sio.SocketId(m.id))
	}
	return ids
}

// Broadcast sends to this pod's sockets, then to the other pods.
func (a *adapter) Broadcast(p *parser.Packet, opts *sio.BroadcastOptions) {
	sel, flags := selectionOf(opts), flagsOf(opts)
	p.Data = plain(p.Data)
	wire := cluster.Packet{Type: int(p.Type), Data: p.Data, Nsp: "/"}
	a.s.send(p, sel, flags.Compress, flags.Volatile)
	if !flags.Local {
		a.s.opts.Bus.Broadcast(wire, wireOptions(sel, flags))
	}
}

// AddSockets joins the selected sockets, on every pod, to rooms.
func (a *adapter) AddSockets(opts *sio.BroadcastOptions, rooms []sio.Room) {
	sel, flags, names := selectionOf(opts), flagsOf(opts), stringsOf(rooms)
	a.s.joinLocal(sel, names)
	if !flags.Local {
		a.s.opts.Bus.Join(wireOptions(sel, flags), names)
	}
}

// DelSockets makes the selected sockets, on every pod, leave rooms.
func (a *adapter) DelSockets(opts *sio.BroadcastOptions, rooms []sio.Room) {
	sel, flags, names := selectionOf(opts), flagsOf(opts), stringsOf(rooms)
	a.s.leaveLocal(sel, names)
	if !flags.Local {
		a.s.opts.Bus.Leave(wireOptions(sel, flags), names)
	}
}

// DisconnectSockets disconnects the selected sockets on every pod.
func (a *adapter) DisconnectSockets(opts *sio.BroadcastOptions, closeTransport bool) {
	sel, flags := selectionOf(opts), flagsOf(opts)
	a.s.disconnectLocal(sel, closeTransport)
	if !flags.Local {
		a.s.opts.Bus.Disconnect(wireOptions(sel, flags), closeTransport)
	}
}

// ServerCount counts the pods.
func (a *adapter) ServerCount() int64 {
	ctx, cancel := context.WithTimeout(context.Background(), clusterTimeout)
	defer cancel()
	n, err := a.s.opts.Bus.Pods(ctx)
	if err != nil {
		a.s.opts.Logger.Warn("the pods could not be counted", "err", err)
		return 1
	}
	return int64(n)
}

// ServerSideEmit tells the other pods.
func (a *adapter) ServerSideEmit(args []any) error {
	n := len(args)
	ack, asked := args[n-1].(sio.Ack)
	a.s.crew.run(func() {
		ctx, cancel := context.WithTimeout(context.Background(), clusterTimeout)
		defer cancel()
		if !asked {
			a.s.opts.Bus.ServerSideEmit(ctx, args, nil)
			return
		}
		done := make(chan struct{})
		a.s.opts.Bus.ServerSideEmit(ctx, args[:n-1], func(answers []any, err error) {
			ack(answers, err)
			close(done)
		})
		select {
		case <-done:
		case <-ctx.Done():
		}
	})
	return nil
}

// FetchSockets returns the selected sockets of every pod.
func (a *adapter) FetchSockets(opts *sio.BroadcastOptions) func(func([]sio.SocketDetails, error)) {
	return func(callback func([]sio.SocketDetails, error)) {
		sel, flags := selectionOf(opts), flagsOf(opts)
		var all []sio.SocketDetails
		for _, m := range a.s.connected(sel) {
			all = append(all, m.socket)
		}
		if flags.Local {
			callback(all, nil)
			return
		}
		a.s.crew.run(func() {
			ctx, cancel := context.WithTimeout(context.Background(), clusterTimeout)
			defer cancel()
			others, err := a.s.opts.Bus.Sockets(ctx, wireOptions(sel, flags))
			for _, o := range others {
				all = append(all, remote{o})
			}
			callback(all, err)
		})
	}
}
