package hub

import (
	"sync"
	"time"
	"unicode/utf8"

	gorilla "github.com/gorilla/websocket"
	"github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/servers/engine/v3/transports"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// websocketBuilder makes the library's WebSocket transport, with three things
// added: it tells what was written, it takes no text that is not UTF-8, and it
// says goodbye as Node does, with a close frame that carries no code.
type websocketBuilder struct {
	transports.WebSocketBuilder
	opening opening
}

func (b *websocketBuilder) New(ctx *types.HttpContext) transports.Transport {
	w := &webSocket{Websocket: transports.MakeWebSocket(), conn: ctx.Websocket.Conn, opening: b.opening}
	if w.held, _ = ctx.Websocket.NetConn().(*heldConn); w.held != nil {
		w.held.follow = w.follow
	}
	w.Prototype(w)
	_ = w.On("drain", func(...any) { w.drained() })
	_ = w.On("packet", func(args ...any) { w.check(args[0]) })
	w.Construct(ctx)
	return w
}

type webSocket struct {
	transports.Websocket
	conn *gorilla.Conn
	held *heldConn
	opening
	// goodbye is what the close frame says. It is written, if at all, by the
	// reader, before the close that it causes.
	goodbye []byte

	mu      sync.Mutex
	batches []int64   // message bytes of each Send that is not written yet
	offsets []*offset // of each packet that is not written yet; most have none
	written func(n int64)
	early   int64 // written before anybody asked
}

func (w *webSocket) Send(packets []*packet.Packet) {
	w.rewrite(packets)
	var n int64
	w.mu.Lock()
	for _, p := range packets {
		n += messageBytes(p)
		w.offsets = append(w.offsets, unmark(p))
	}
	w.batches = append(w.batches, n)
	w.mu.Unlock()
	w.Websocket.Send(packets)
}

// follow returns the frame that is to be written in one with the end of the
// message that is being written.
func (w *webSocket) follow() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.offsets) == 0 {
		return nil
	}
	o := w.offsets[0]
	if w.offsets = w.offsets[1:]; len(w.offsets) == 0 {
		w.offsets = nil
	}
	if o == nil {
		return nil
	}
	return o.frame
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

// check is the first to see a packet. One of text that is not UTF-8 ends the
// connection and is no packet any more for those who see it next; the library
// would go on, with other letters in place of what cannot be read.
func (w *webSocket) check(arg any) {
	p, ok := arg.(*packet.Packet)
	if !ok {
		return
	}
	text, ok := p.Data.(*types.StringBuffer)
	if !ok || utf8.Valid(text.Bytes()) {
		return
	}
	p.Type, p.Data = packet.NOOP, types.NewStringBuffer(nil)
	w.goodbye = gorilla.FormatCloseMessage(gorilla.CloseInvalidFramePayloadData, "")
	w.OnError("text that is not UTF-8", nil)
}

// DoClose sends a close frame if the connection takes one within a moment; a
// client that does not read is not waited for.
func (w *webSocket) DoClose(fn types.Callable) {
	_ = w.conn.WriteControl(gorilla.CloseMessage, w.goodbye, time.Now().Add(closeFrameWait))
	w.Websocket.DoClose(fn)
}
