package socketio

import (
	"bytes"
	"io"
	"net/http"

	"github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// onPost takes what the client has to say.
func (p *polling) onPost(ctx *types.HttpContext) {
	binary := ctx.Headers().Peek("Content-Type") == "application/octet-stream"
	p.mu.Lock()
	switch {
	case p.ended:
		p.mu.Unlock()
		p.tooLate(ctx)
		return
	case p.posting:
		p.mu.Unlock()
		p.OnError("data request overlap from client", nil)
		refuse(ctx, http.StatusBadRequest)
		return
	case binary && p.Protocol() == 4:
		p.mu.Unlock()
		p.OnError("invalid content", nil)
		refuse(ctx, http.StatusBadRequest)
		return
	}
	p.posting = true
	p.arriving, _ = ctx.Response().(*response)
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.posting, p.arriving = false, nil
		p.mu.Unlock()
	}()

	limit := p.MaxHttpBufferSize()
	r := ctx.Request()
	if r.ContentLength > limit {
		refuse(ctx, http.StatusRequestEntityTooLarge)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	p.mu.Lock()
	p.arriving = nil
	p.mu.Unlock()
	switch {
	case err != nil:
		p.OnError("data request connection closed prematurely", err)
		refuse(ctx, http.StatusBadRequest)
	case int64(len(body)) > limit:
		refuse(ctx, http.StatusRequestEntityTooLarge)
	case !p.accept(body, binary):
		// Node ends the session with "parse error".
		p.OnPacket(&packet.Packet{Type: packet.ERROR})
		refuse(ctx, http.StatusBadRequest)
	default:
		// text/html keeps some browsers from offering the answer as a download.
		ctx.ResponseHeaders().Set("Content-Type", "text/html")
		ctx.ResponseHeaders().Set("Content-Length", "2")
		ctx.ResponseHeaders().Set("Cache-Control", "no-store")
		_, _ = ctx.Write([]byte("ok"))
	}
}

// accept hands on the packets of a body; false says that it is not one.
func (p *polling) accept(body []byte, binary bool) bool {
	packets, err := p.decode(body, binary)
	for _, q := range packets {
		if q.Type == packet.CLOSE {
			p.OnClose()
			return true
		}
		p.OnPacket(q)
	}
	return err == nil
}

func (p *polling) decode(body []byte, binary bool) ([]*packet.Packet, error) {
	if p.Protocol() == 4 {
		// The library's decoder skips what is empty, which Node does not.
		for part := range bytes.SplitSeq(body, []byte{0x1e}) {
			if len(part) == 0 || part[0] != 'b' && (part[0] < '0' || part[0] > '6') {
				return nil, errPayload
			}
		}
	}
	switch {
	case binary:
		return decodeV3(body)
	case len(body) == 0: // which the library takes for no packets
		return nil, errPayload
	}
	return p.Parser().DecodePayload(types.NewStringBuffer(body))
}
