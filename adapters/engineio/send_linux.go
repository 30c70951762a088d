//go:build !race

package engineio

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// atOnce keeps a send from waiting, whatever the descriptor says.
const atOnce = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL

// send and sendAll do not tell Go's scheduler that they are in the kernel, as
// syscall.Write does: it would look every 20 µs for one that has been there for
// long, and move the other goroutines to another thread, which has to be woken
// for that. What never waits is not worth it: without, a delivery takes a fifth
// less CPU (docs/BENCHMARKS.md).
func send(fd int, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), atOnce, 0, 0)
	return sent(n, errno)
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
	return sent(n, errno)
}

func sent(n uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
