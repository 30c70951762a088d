// Package socketio is a Socket.IO server: protocol 5 over Engine.IO 4, and its
// predecessor over Engine.IO 3.
//
// It owns packets and how they are spelled (as socket.io-parser does, or
// socket.io-msgpack-parser), namespaces, middlewares, sockets, events and
// acknowledgements both ways, and the seam behind which rooms are kept: Adapter.
// It refuses to know who users are, what events mean and how servers reach each
// other.
//
// The way of a packet that comes in: conn.go (whose is it) → receive.go (event,
// answer, goodbye) → the namespace's handler. Of one that goes out: target.go or
// emit.go → the adapter → engineio. The life of a socket: conn.go → admit.go →
// leave.go.
package socketio
