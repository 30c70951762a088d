package engineio

import (
	"net"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
)

// maxIdle is what an idle WebSocket may cost in heap and stacks. Of it, 4 KB are
// the stack of its reader: one that has handled a message does not shrink below.
const maxIdle = 6 << 10

func memory() uint64 {
	var m runtime.MemStats
	for range 4 { // stacks shrink by half at a time, pools empty at the second
		runtime.GC()
	}
	debug.FreeOSMemory()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// bare leaves nothing of a client but its descriptor.
func bare(t *testing.T, w *wire) (fd int) {
	t.Helper()
	raw, err := w.Conn.(*net.TCPConn).SyscallConn()
	if err == nil {
		err = raw.Control(func(of uintptr) { fd, err = syscall.Dup(int(of)) })
	}
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	return fd
}

func TestIdleWebSocketsAreSmall(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector keeps memory of its own")
	}
	g := start(t, Options{}, handler{message: echoes})
	const n = 2000
	var clients [n]int
	before := memory()
	for i := range n {
		w := g.loose(v4ws)
		w.next(opText)
		w.send(masked(fin|opText, "4"+repeat(3000))) // it was not always idle
		w.nexts(opText, "4"+repeat(3000))
		g.session()
		clients[i] = bare(t, w)
	}
	defer func() {
		for _, fd := range clients {
			_ = syscall.Close(fd)
		}
	}()
	var each uint64
	eventually(t, "what connecting took is given back", func() bool {
		each = (memory() - before) / n
		return each <= maxIdle
	})
	t.Logf("%d bytes for an idle WebSocket", each)
	if got := runtime.NumGoroutine(); got > n+n/10 {
		t.Fatal(got, "goroutines")
	}
}
