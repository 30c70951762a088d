package hub

import (
	"net/http"
	"time"

	"github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// orderlyClose is how long a close waits for the client's next poll.
const orderlyClose = 30 * time.Second

// OnClose lets the waiting poll go before the transport is closed for good.
func (p *polling) OnClose() {
	p.mu.Lock()
	p.ended = true
	ctx := p.take()
	if p.timer != nil {
		p.timer.Stop()
	}
	p.mu.Unlock()
	if ctx != nil {
		p.farewell(ctx, packet.NOOP)
	}
	p.Transport.OnClose()
}

func (p *polling) farewell(ctx *types.HttpContext, kind packet.Type) {
	payload, err := p.Parser().EncodePayload([]*packet.Packet{{Type: kind}})
	if err != nil {
		refuse(ctx, http.StatusBadRequest)
		return
	}
	_ = p.respond(ctx, payload, false)
}

// DoClose tells the client in answer to its poll: the waiting one, or, while the
// session still exists, the next. A body that is still on its way is not waited
// for: as in Node, its connection is cut.
func (p *polling) DoClose(fn types.Callable) {
	done := func() {
		if fn != nil {
			fn()
		}
		p.OnClose()
	}
	p.mu.Lock()
	if p.arriving != nil {
		p.arriving.cut()
	}
	ctx := p.take()
	// Without fn the engine has closed the session already, or has upgraded it.
	if ctx == nil && fn != nil && !p.Discarded() {
		p.closing = done
		p.timer = time.AfterFunc(orderlyClose, p.finish)
		p.mu.Unlock()
		return
	}
	p.ended = true
	p.mu.Unlock()
	switch {
	case ctx == nil:
	case fn == nil && p.Discarded():
		refuse(ctx, http.StatusBadRequest) // polled while it upgraded
	default:
		p.farewell(ctx, packet.CLOSE)
	}
	done()
}

// finish ends an orderly close that no poll came for.
func (p *polling) finish() {
	p.mu.Lock()
	closing := p.closing
	p.closing = nil
	p.mu.Unlock()
	if closing != nil {
		closing()
	}
}
