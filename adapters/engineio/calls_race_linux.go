//go:build race

package engineio

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// For the race detector, what a client does after it was sent something comes
// after that: it is syscall.Write that says so.

func send(fd int, b []byte) (int, error) { return syscall.Write(fd, b) }

func sendAll(fd int, wires [][]byte) (int, error) { return unix.Writev(fd, wires) }

func recv(fd int, b []byte) (int, error) { return syscall.Read(fd, b) }
