//go:build !linux

package engineio

import "net"

// rawConn is there on Linux alone; elsewhere a session writes from a goroutine.
type rawConn struct{}

func (*rawConn) init(net.Conn, *webSocket) {}

func (*rawConn) isAbsent() bool { return true }

func (*rawConn) read() (int, error) { return 0, nil }

func (*rawConn) write([]*Frame, int, dialect) (int, error) { return 0, nil }
