package socketio

import (
	"sync"
	"time"

	gorilla "github.com/gorilla/websocket"
	"github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/servers/engine/v3/transports"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// websocketBuilder makes the library's WebSocket transport, with two things
// added: it tells what was written, and it says goodbye as Node does, with a
// close frame that carries no code.
type websocketBuilder struct{ transports.WebSocketBuilder }

func (*websocketBuilder) New(ctx *types.HttpContext) transports.Transport {
	w := &webSocket{Websocket: transports.MakeWebSocket(), conn: ctx.Websocket.Conn}
	w.held, _ = ctx.Websocket.NetConn().(*heldConn)
	w.Prototype(w)
	_ = w.On("drain", func(...any) { w.drained() })
	w.Construct(ctx)
	return w
}

type webSocket struct {
	transports.Websocket
	conn *gorilla.Conn
	held *heldConn

	mu      sync.Mutex
	batches []int64 // message bytes of each Send that is not written yet
	written func(n int64)
	early   int64 // written before anybody asked
}

func (w *webSocket) Send(packets []*packet.Packet) {
	var n int64
	for _, p := range packets {
		n += messageBytes(p)
	}
	w.mu.Lock()
	w.batches = append(w.batches, n)
	w.mu.Unlock()
	w.Websocket.Send(packets)
}

// failed says that what is sent does not arrive any more.
func (w *webSocket) failed() bool { return w.held != nil && w.held.failed.Load() }

// settled says that no write is under way whose end is worth waiting for.
func (w *webSocket) settled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.batches) == 0 || w.failed()
}

// drained is called after each Send was written, or was not.
func (w *webSocket) drained() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.batches) == 0 {
		return
	}
	n := w.batches[0]
	if w.failed() {
		n = 0
	}
	// Told before it is settled: a departure looks at the one, then the other.
	if w.written == nil {
		w.early += n
	} else if n > 0 {
		w.written(n)
	}
	if w.batches = w.batches[1:]; len(w.batches) == 0 {
		w.batches = nil
	}
}

func (w *webSocket) onWritten(fn func(n int64)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.written = fn
	if w.early > 0 {
		fn(w.early)
		w.early = 0
	}
}

// DoClose sends a close frame if the connection takes one within a moment; a
// client that does not read is not waited for.
func (w *webSocket) DoClose(fn types.Callable) {
	_ = w.conn.WriteControl(gorilla.CloseMessage, nil, time.Now().Add(closeFrameWait))
	w.Websocket.DoClose(fn)
}
