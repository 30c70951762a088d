//go:build !race

package engineio

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// atOnce keeps a call from waiting, whatever the descriptor says.
const atOnce = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL

// What is here does not tell Go's scheduler that it is in the kernel, as
// syscall.Write does: the scheduler would look every 20 µs for who has been there
// for long, and move the other goroutines to another thread, which has to be
// woken for that. What never waits is not worth it (docs/BENCHMARKS.md).

func send(fd int, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), atOnce, 0, 0)
	return done(n, errno)
}

// sendAll takes no more than vectors.
func sendAll(fd int, wires [][]byte) (int, error) {
	var list [vectors]unix.Iovec
	for i, b := range wires {
		list[i].Base = unsafe.SliceData(b)
		list[i].SetLen(len(b))
	}
	message := unix.Msghdr{Iov: &list[0]}
	message.SetIovlen(len(wires))
	n, _, errno := syscall.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&message)), atOnce)
	return done(n, errno)
}

func recv(fd int, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), atOnce, 0, 0)
	return done(n, errno)
}

func done(n uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
