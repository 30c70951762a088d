package hub

import (
	"bytes"
	"io"
	"iter"
	"net/http"

	"github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/parsers/engine/v3/parser"
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

// accept hands on the packets of a body; false says that it is not one. Each is
// read when the one before it was dealt with: together they are a hundred times
// the body, if they are small.
func (p *polling) accept(body []byte, binary bool) bool {
	for q, err := range p.packets(body, binary) {
		if err != nil {
			return false
		}
		if q.Type == packet.CLOSE {
			p.OnClose()
			return true
		}
		p.OnPacket(q)
	}
	return true
}

func (p *polling) packets(body []byte, binary bool) iter.Seq2[*packet.Packet, error] {
	switch {
	case p.Protocol() == 4:
		return packetsV4(p.Parser(), body)
	case binary:
		return packetsV3(body)
	}
	return textPacketsV3(body)
}

// packetsV4 reads a body as Node does: of one with a part that is no packet,
// nothing. The library's decoder skips what is empty, which Node does not.
func packetsV4(p parser.Parser, body []byte) iter.Seq2[*packet.Packet, error] {
	return func(yield func(*packet.Packet, error) bool) {
		for part := range bytes.SplitSeq(body, []byte{parser.SEPARATOR}) {
			if len(part) == 0 || part[0] != 'b' && (part[0] < '0' || part[0] > '6') {
				yield(nil, errPayload)
				return
			}
		}
		for part := range bytes.SplitSeq(body, []byte{parser.SEPARATOR}) {
			q, err := p.DecodePacket(types.NewStringBuffer(part))
			if !yield(q, err) || err != nil {
				return
			}
		}
	}
}
