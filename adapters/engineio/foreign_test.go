package engineio

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/gorilla/websocket"
)

// Messages of any size arrive as one frame, whole, from and to clients that are
// not ours.
func TestGorilla(t *testing.T) {
	g := start(t, Options{}, handler{message: echoes})
	d := websocket.Dialer{EnableCompression: true}
	c, _, err := d.Dial(g.ws(v4ws), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, _, err := c.ReadMessage(); err != nil {
		t.Fatal(err)
	}
	ponged := make(chan string, 1)
	c.SetPongHandler(func(data string) error { ponged <- data; return nil })
	for _, size := range []int{1, 124, 125, 126, 1000, 4000, 4096, 65_534, 65_535, 65_536, 70_000, 500_000} {
		for kind, data := range map[int][]byte{websocket.TextMessage: []byte("4" + repeat(size)), websocket.BinaryMessage: bytes.Repeat([]byte{0xff}, size)} {
			if err := c.WriteControl(websocket.PingMessage, []byte("hi"), time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			if err := c.WriteMessage(kind, data); err != nil {
				t.Fatal(err)
			}
			got, b, err := c.ReadMessage()
			if err != nil || got != kind || !bytes.Equal(b, data) {
				t.Fatalf("%d bytes: got %d of %d, %v", size, len(b), got, err)
			}
			if got := receive(t, ponged, "pong"); got != "hi" {
				t.Fatal(got)
			}
		}
	}
}

func TestCoder(t *testing.T) {
	g := start(t, Options{}, handler{message: echoes})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, res, err := coder.Dial(ctx, g.ws(v4ws), &coder.DialOptions{CompressionMode: coder.CompressionContextTakeover, Subprotocols: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err, res)
	}
	defer c.CloseNow()
	c.SetReadLimit(1 << 20)
	if _, _, err := c.Read(ctx); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 124, 125, 126, 4000, 65_535, 70_000, 500_000} {
		for kind, data := range map[coder.MessageType][]byte{coder.MessageText: []byte("4" + repeat(size)), coder.MessageBinary: bytes.Repeat([]byte{0xff}, size)} {
			if err := c.Write(ctx, kind, data); err != nil {
				t.Fatal(err)
			}
			got, b, err := c.Read(ctx)
			if err != nil || got != kind || !bytes.Equal(b, data) {
				t.Fatalf("%d bytes: got %d of %v, %v", size, len(b), got, err)
			}
		}
	}
	read := c.CloseRead(ctx)
	if err := c.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(coder.StatusNormalClosure, "done"); err != nil {
		t.Fatal(err)
	}
	<-read.Done()
	g.endsWith(TransportClose)
}

// Each message is one frame on the wire, whatever its size.
func TestOneMessageIsOneFrame(t *testing.T) {
	g := start(t, Options{}, handler{message: echoes})
	w := g.openWire()
	for size := 1; size <= 70_000; size = size*3/2 + 1 {
		w.send(masked(fin|opText, "4"+repeat(size)))
		w.nexts(opText, "4"+repeat(size))
	}
}

func TestTLS(t *testing.T) {
	ended := make(chan Reason, 1)
	engine, err := New(Options{}, handler{message: echoes, close: func(_ *Session, r Reason, _ error) { ended <- r }})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(engine)
	defer server.Close()
	defer engine.Close()
	d := websocket.Dialer{TLSClientConfig: server.Client().Transport.(*http.Transport).TLSClientConfig}
	c, _, err := d.Dial("wss"+strings.TrimPrefix(server.URL, "https")+"/engine.io/?"+v4ws, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, _, err := c.ReadMessage(); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 200, 70_000} {
		says(t, c, "4"+repeat(size))
		hears(t, c, "4"+repeat(size))
	}
	says(t, c, "abc")
	closes(t, c, websocket.CloseNoStatusReceived)
	if r := receive(t, ended, "end"); r != ParseError {
		t.Fatal(r)
	}
}
