package socketio

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"parley/adapters/engineio"
)

const soon = 5 * time.Second

// serve starts a Server that is ended with the test.
func serve(t *testing.T, o Options, setup func(*Server)) (io *Server, url string) {
	t.Helper()
	if o.Engine.PingInterval == 0 {
		o.Engine.PingInterval, o.Engine.PingTimeout = time.Minute, time.Minute
	}
	io, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if setup != nil {
		setup(io)
	}
	web := httptest.NewServer(io)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		if err := io.Close(ctx); err != nil {
			t.Error("close:", err)
		}
		web.Close()
	})
	return io, "ws" + strings.TrimPrefix(web.URL, "http") + "/socket.io/?EIO=4&transport=websocket"
}

// client is a WebSocket of somebody else's making that speaks the protocol by
// hand.
type client struct {
	*websocket.Conn
	t *testing.T
}

func dial(t *testing.T, url string) *client {
	t.Helper()
	conn, res, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		t.Fatal("dial:", err, res)
	}
	_ = res.Body.Close()
	t.Cleanup(func() { _ = conn.Close() })
	c := &client{Conn: conn, t: t}
	if open := c.read(); !strings.Contains(url, "EIO=3") && !strings.HasPrefix(open, "0{") {
		t.Fatalf("no open packet: %q", open)
	}
	return c
}

func (c *client) write(packets ...string) {
	c.t.Helper()
	for _, p := range packets {
		if err := c.WriteMessage(websocket.TextMessage, []byte(p)); err != nil {
			c.t.Fatal("write:", err)
		}
	}
}

// read returns the next message, in hex digits behind b where it is binary.
func (c *client) read() string {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(soon))
	kind, b, err := c.ReadMessage()
	if err != nil {
		c.t.Fatal("read:", err)
	}
	if kind == websocket.BinaryMessage {
		return "b" + string(b)
	}
	return string(b)
}

func (c *client) expect(want string) {
	c.t.Helper()
	if got := c.read(); got != want {
		c.t.Fatalf("got %q, want %q", got, want)
	}
}

// ended reads on until the connection is closed, and returns what came before.
func (c *client) ended() (rest []string) {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(soon))
	for {
		_, b, err := c.ReadMessage()
		if err != nil {
			if strings.Contains(err.Error(), "timeout") {
				c.t.Fatal("still open after", soon)
			}
			return rest
		}
		rest = append(rest, string(b))
	}
}

// join connects to a namespace and returns the socket's id.
func (c *client) join(nsp string) string {
	c.t.Helper()
	prefix := "40"
	if nsp != "/" {
		prefix += nsp + ","
	}
	c.write(prefix)
	got, ok := strings.CutPrefix(c.read(), prefix)
	var hello struct{ SID string }
	if !ok || json.Unmarshal([]byte(got), &hello) != nil || hello.SID == "" {
		c.t.Fatalf("not let in: %q", got)
	}
	return hello.SID
}

func wait[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(soon):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

var _ engineio.Handler = (*handler)(nil)
