package socketio

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"parley/adapters/engineio"
)

// What is volatile is dropped where a client cannot be written to at once, and
// reaches it once it can, in order with the rest.
func TestVolatile(t *testing.T) {
	sockets := make(chan *Socket, 1)
	io, url := serve(t, Options{Engine: engineio.Options{MaxBacklog: 64 << 20}}, func(io *Server) {
		io.Of("/").OnConnect(func(s *Socket) { sockets <- s })
	})
	main := io.Of("/")
	c := dial(t, url)
	c.join("/")
	s := wait(t, sockets)
	main.All().Volatile().Emit("volatile", "first")
	c.expect(`42["volatile","first"]`)

	text, sent := strings.Repeat("x", 64<<10), 0
	for ; s.Session().Buffered() < 8<<20; sent++ { // far more than the kernel takes yet
		main.All().Emit("text", sent, text)
	}
	main.All().Volatile().Emit("volatile", "dropped")
	main.All().Emit("last")
	for i := range sent {
		if got := c.read(); !strings.HasPrefix(got, fmt.Sprintf(`42["text",%d,`, i)) {
			t.Fatalf("%.40s where text %d was due", got, i)
		}
	}
	c.expect(`42["last"]`)
	for !s.Session().Writable() { // its writer is done a moment later
		runtime.Gosched()
	}
	main.All().Volatile().Emit("volatile", "again")
	c.expect(`42["volatile","again"]`)
}
