package hub

import (
	"context"

	"parley/adapters/cluster"
	"parley/adapters/socketio"
)

// adapter is the Server as socketio asks it about rooms. It keeps no state of
// its own: the index has it.
type adapter struct{ s *Server }

// Enter joins rooms. A socket that has left joins nothing any more.
func (a adapter) Enter(socket *socketio.Socket, rooms ...string) {
	m, now := memberOf(socket), a.s.opts.Now()
	a.s.index.mu.Lock()
	defer a.s.index.mu.Unlock()
	if m == nil || m.phase == gone {
		return
	}
	for _, name := range rooms {
		a.s.index.join(m, name, now)
	}
}

// Exit leaves rooms.
func (a adapter) Exit(socket *socketio.Socket, rooms ...string) {
	m := memberOf(socket)
	a.s.index.mu.Lock()
	defer a.s.index.mu.Unlock()
	if m == nil || m.phase == gone {
		return
	}
	for _, name := range rooms {
		a.s.index.leave(m, name)
	}
}

// Gone is heard of every socket, those that were never let in too.
func (a adapter) Gone(socket *socketio.Socket) {
	if m := memberOf(socket); m != nil {
		a.s.depart(m, socket.Reason())
	}
}

// RoomsOf are those the socket is in.
func (a adapter) RoomsOf(socket *socketio.Socket) []string {
	m := memberOf(socket)
	a.s.index.mu.Lock()
	defer a.s.index.mu.Unlock()
	if m == nil {
		return nil
	}
	return m.roomNames()
}

func wireOptions(to socketio.Audience, flags socketio.Flags) cluster.Options {
	return cluster.Options{Rooms: to.Rooms, Except: to.Except, Flags: cluster.Flags{Volatile: flags.Volatile, Timeout: flags.Timeout}}
}

func wirePacket(p socketio.Packet) cluster.Packet {
	return cluster.Packet{Type: int(p.Type), Data: p.Data, Nsp: "/", ID: p.ID}
}

// Broadcast sends to this pod's sockets and the other pods.
func (a adapter) Broadcast(p socketio.Packet, to socketio.Audience, flags socketio.Flags) {
	a.s.send(p, to, flags.Volatile, nil, func() {
		if !to.Local {
			a.s.opts.Bus.Broadcast(wirePacket(p), wireOptions(to, flags))
		}
	})
}

// Join and Leave move the selected sockets, on every pod.
func (a adapter) Join(to socketio.Audience, rooms []string) {
	a.s.joinLocal(to, rooms)
	if !to.Local {
		a.s.opts.Bus.Join(wireOptions(to, socketio.Flags{}), rooms)
	}
}

// Leave is described with Join.
func (a adapter) Leave(to socketio.Audience, rooms []string) {
	a.s.leaveLocal(to, rooms)
	if !to.Local {
		a.s.opts.Bus.Leave(wireOptions(to, socketio.Flags{}), rooms)
	}
}

// Disconnect disconnects the selected sockets, on every pod.
func (a adapter) Disconnect(to socketio.Audience, closeTransport bool) {
	a.s.disconnectLocal(to, closeTransport)
	if !to.Local {
		a.s.opts.Bus.Disconnect(wireOptions(to, socketio.Flags{}), closeTransport)
	}
}

// Fetch returns the selected sockets of every pod.
func (a adapter) Fetch(ctx context.Context, to socketio.Audience) ([]socketio.Remote, error) {
	var all []socketio.Remote
	for _, m := range a.s.connected(to) {
		all = append(all, socketio.Remote{ID: m.id, Rooms: a.RoomsOf(m.socket)})
	}
	if to.Local {
		return all, nil
	}
	others, err := a.s.opts.Bus.Sockets(ctx, wireOptions(to, socketio.Flags{}))
	for _, o := range others {
		all = append(all, socketio.Remote{ID: o.ID, Rooms: o.Rooms, Data: o.Data})
	}
	return all, err
}
