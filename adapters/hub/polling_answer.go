package hub

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/zishang520/socket.io/v3/pkg/types"
)

func (p *polling) respond(ctx *types.HttpContext, payload types.BufferInterface, compress bool) error {
	contentType := "application/octet-stream"
	if _, ok := payload.(*types.StringBuffer); ok {
		contentType = "text/plain; charset=UTF-8"
	}
	body := payload.Bytes()
	headers := ctx.ResponseHeaders()
	if c := p.HttpCompression(); compress && c != nil && len(body) >= c.Threshold &&
		strings.Contains(ctx.Headers().Peek("Accept-Encoding"), "gzip") {
		if packed, err := p.builder.pack(body); err == nil {
			body = packed
			headers.Set("Content-Encoding", "gzip")
		}
	}
	headers.Set("Content-Type", contentType)
	headers.Set("Content-Length", strconv.Itoa(len(body)))
	headers.Set("Cache-Control", "no-store")
	_ = ctx.SetStatusCode(http.StatusOK)
	_, err := ctx.Write(body)
	return err
}

func (b *pollingBuilder) pack(body []byte) ([]byte, error) {
	w, ok := b.packers.Get().(*gzip.Writer)
	if !ok {
		w = gzip.NewWriter(nil)
	}
	defer b.packers.Put(w)
	var packed bytes.Buffer
	w.Reset(&packed)
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

// refuse answers with the status alone, as Node's transport does.
func refuse(ctx *types.HttpContext, status int) {
	_ = ctx.SetStatusCode(status)
	_, _ = ctx.Write(nil)
}

// tooLate answers a request that came while its session ended, or was upgraded,
// as the engine answers those that come a moment later.
func (p *polling) tooLate(ctx *types.HttpContext) {
	body := `{"code":1,"message":"Session ID unknown"}`
	if p.Discarded() {
		body = `{"code":3,"message":"Bad request"}`
	}
	ctx.ResponseHeaders().Set("Content-Type", "application/json")
	_ = ctx.SetStatusCode(http.StatusBadRequest)
	_, _ = io.WriteString(ctx, body)
}
