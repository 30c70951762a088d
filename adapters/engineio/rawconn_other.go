//go:build !linux

package engineio

import "net"

// rawConn is there on Linux alone; elsewhere a session writes from a goroutine.
type rawConn struct{}

func newRawConn(net.Conn, *webSocket) *rawConn { return nil }

func (*rawConn) read() (int, error) { return 0, nil }

func (*rawConn) write([]*Frame, int, dialect) (int, error) { return 0, nil }
