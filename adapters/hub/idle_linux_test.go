package hub

import (
	"bufio"
	"fmt"
	"net"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"parley/models"
)

// maxIdle is what an idle socket of a user in one chat may cost in heap and
// stacks, with all the hub keeps of it. Of it, 4 KB are its reader's stack.
const maxIdle = 8 << 10

func memory() uint64 {
	var m runtime.MemStats
	for range 4 { // stacks shrink by half at a time, pools empty at the second
		runtime.GC()
	}
	debug.FreeOSMemory()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// bare connects a socket and leaves nothing of its client but a descriptor.
func bare(t *testing.T, address, user string) (fd int) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	hello := `40{"token":"` + user + `"}`
	fmt.Fprintf(conn, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n%s%s", []byte{0x81, 0x80 | byte(len(hello)), 0, 0, 0, 0}, hello)
	for r, seen := bufio.NewReaderSize(conn, 512), ""; !strings.Contains(seen, `40{"sid":`); {
		b, err := r.ReadByte()
		if err != nil {
			t.Fatalf("not let in: %v after %q", err, seen)
		}
		seen += string(b)
	}
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err == nil {
		err = raw.Control(func(of uintptr) { fd, err = syscall.Dup(int(of)) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestIdleSocketsAreSmall(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector keeps memory of its own")
	}
	p := newPod(t, func(o *Options) { o.PingInterval, o.PingTimeout, o.Recovery = time.Minute, time.Minute, true }, chat).start()
	address := p.http.Listener.Addr().String()
	const n = 2000
	var clients [n]int
	before := memory()
	for i := range n {
		clients[i] = bare(t, address, string(models.UserID(fmt.Sprint("user", i))))
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
	t.Logf("%d bytes for an idle socket", each)
}
