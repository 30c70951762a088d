package hub

import (
	"net/http"
	"sync"
	"time"

	"github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/servers/engine/v3/transports"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// pollingBuilder makes our own long-polling transport. The library's leaves a
// poll unanswered when the session ends, on a second poll and during an upgrade,
// answers 200 to what it could not read, and can lose packets when an upgrade
// meets a broadcast.
type pollingBuilder struct {
	transports.PollingBuilder
	opening opening
	packers sync.Pool // of *gzip.Writer, which are large
}

func (b *pollingBuilder) New(ctx *types.HttpContext) transports.Transport {
	p := &polling{Transport: transports.MakeTransport(), builder: b}
	p.Prototype(p)
	p.Construct(ctx)
	return p
}

type polling struct {
	transports.Transport
	builder *pollingBuilder

	mu      sync.Mutex
	poll    *types.HttpContext // the GET that waits for something to say
	posting bool
	ended   bool
	// arriving is the answer to a POST whose body is still on its way.
	arriving *response
	// queue is what the engine sent while no poll was there to take it.
	queue []*packet.Packet
	// closing ends the transport once a poll has taken the close packet.
	closing func()
	timer   *time.Timer
	next    transports.Transport // after an upgrade

	// A poll's answer is known to have arrived when the client polls again.
	unconfirmed int64
	written     func(n int64)
}

func (p *polling) Name() string { return transports.POLLING }

func (p *polling) OnRequest(ctx *types.HttpContext) {
	switch ctx.Method() {
	case http.MethodGet:
		p.onPoll(ctx)
	case http.MethodPost:
		p.onPost(ctx)
	default:
		refuse(ctx, http.StatusBadRequest)
	}
}

func (p *polling) onPoll(ctx *types.HttpContext) {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		p.tooLate(ctx)
		return
	}
	if p.poll != nil {
		p.mu.Unlock()
		p.OnError("overlap from client", nil)
		refuse(ctx, http.StatusBadRequest)
		return
	}
	p.poll = ctx
	p.SetWritable(true)
	queued, closing := len(p.queue) > 0, p.closing != nil
	confirmed, written := p.unconfirmed, p.written
	p.unconfirmed = 0
	p.mu.Unlock()
	if written != nil && confirmed > 0 {
		written(confirmed)
	}

	gone := func(args ...any) {
		if err, ok := args[0].(error); ok && err != nil {
			p.lost(ctx)
		}
	}
	_ = ctx.Once("close", gone)
	if ctx.IsDone() {
		p.lost(ctx)
		return
	}
	if queued {
		p.Send(nil)
	}
	p.Emit("ready")
	if closing {
		p.Send([]*packet.Packet{{Type: packet.NOOP}})
	}
}

// lost says that the client gave a poll up; as in Node, that ends the session.
func (p *polling) lost(ctx *types.HttpContext) {
	p.mu.Lock()
	ours := p.poll == ctx
	if ours {
		p.poll = nil
		p.SetWritable(false)
	}
	p.mu.Unlock()
	if ours {
		p.OnError("poll connection closed prematurely", nil)
	}
}

// take gives the waiting poll to whoever will answer it.
func (p *polling) take() *types.HttpContext {
	ctx := p.poll
	p.poll = nil
	p.SetWritable(false)
	return ctx
}

// Send answers the waiting poll. It never blocks: the answer is kept in memory
// until the request's own goroutine writes it out.
func (p *polling) Send(packets []*packet.Packet) {
	p.builder.opening.rewrite(packets)
	p.mu.Lock()
	if p.next != nil {
		next := p.next
		p.mu.Unlock()
		next.Send(packets)
		return
	}
	packets = append(p.queue, packets...)
	p.queue = nil
	ctx := p.take()
	if ctx == nil {
		for _, q := range packets {
			if q.Type != packet.NOOP {
				p.queue = append(p.queue, q)
			}
		}
		p.mu.Unlock()
		return
	}
	closing := p.closing
	p.closing = nil
	p.mu.Unlock()
	if closing != nil {
		packets = append(packets, &packet.Packet{Type: packet.CLOSE})
	}
	p.answer(ctx, packets)
	if closing != nil {
		closing()
	}
}

func (p *polling) answer(ctx *types.HttpContext, packets []*packet.Packet) {
	var n int64
	compress := false
	for _, q := range packets {
		n += messageBytes(q)
		compress = compress || q.Options != nil && q.Options.Compress != nil && *q.Options.Compress
	}
	packets = withOffset(packets)
	encode := func() (types.BufferInterface, error) { return p.Parser().EncodePayload(packets) }
	if p.Protocol() == 3 && p.SupportsBinary() {
		encode = func() (types.BufferInterface, error) { return encodeV3(packets) }
	}
	payload, err := encode()
	if err == nil {
		p.mu.Lock()
		p.unconfirmed += n
		p.mu.Unlock()
		err = p.respond(ctx, payload, compress)
	}
	if err != nil {
		p.OnError("polling write error", err)
		return
	}
	p.Emit("drain")
}

// handOver gives what no poll has taken to the transport that replaces this one.
func (p *polling) handOver(to transports.Transport) {
	p.mu.Lock()
	p.next = to
	queue := p.queue
	p.queue = nil
	confirmed, written := p.unconfirmed, p.written
	p.unconfirmed = 0
	p.mu.Unlock()
	if written != nil && confirmed > 0 {
		written(confirmed)
	}
	if len(queue) > 0 {
		to.Send(queue)
	}
}

func (p *polling) onWritten(fn func(n int64)) {
	p.mu.Lock()
	p.written = fn
	p.mu.Unlock()
}
