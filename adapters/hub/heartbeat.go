package hub

import (
	"time"

	"github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"parley/adapters/js"
)

// The library begins to wait for a pong after it has sent the ping: one that
// comes in between is not seen, and a healthy connection is closed. So who falls
// silent is noticed here, and the library is told to wait so long that its next
// ping begins the wait anew. Not longer: it sometimes forgets to end one, and
// that keeps the whole connection in memory.
func libraryPatience(interval, timeout time.Duration) time.Duration { return 2 * (interval + timeout) }

// heartbeat is guarded by its link's mu.
type heartbeat struct {
	due   bool // the client owes us something
	timer *time.Timer
}

// await begins to wait for the client: for a pong, or, where clients do the
// pinging, for the next ping. It is called before the client can know.
func (l *link) await(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.beat.due = true
	if l.beat.timer == nil {
		l.beat.timer = time.AfterFunc(d, l.silent)
		return
	}
	l.beat.timer.Reset(d)
}

// beats hears what the client was waited for.
func (l *link) beats() {
	if l.conn.Protocol() == 3 {
		l.await(l.server.opts.PingInterval + l.server.opts.PingTimeout)
		return
	}
	l.rest()
}

func (l *link) rest() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.beat.due = false
	if l.beat.timer != nil {
		l.beat.timer.Stop()
	}
}

// silent ends a connection nothing was heard of in time.
func (l *link) silent() {
	l.mu.Lock()
	due := l.beat.due
	l.mu.Unlock()
	if !due {
		return
	}
	if conn, ok := l.conn.(interface {
		OnClose(reason string, description ...error)
	}); ok {
		l.server.crew.run(func() { conn.OnClose(reasonPing) })
	}
}

// opening is what our transports say in an open packet: the library's, which
// would have clients wait as long as it does, with our times and in Node's order.
type opening struct{ pingTimeout time.Duration }

func (o opening) rewrite(packets []*packet.Packet) {
	for _, p := range packets {
		text, ok := p.Data.(*types.StringBuffer)
		if p.Type != packet.OPEN || !ok {
			continue
		}
		said, err := js.ParseJSON(text.String())
		if err != nil {
			continue
		}
		fields, _ := js.Fields(said)
		fields["pingTimeout"] = o.pingTimeout.Milliseconds()
		var order js.Object
		for _, key := range []string{"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"} {
			order = append(order, js.Member{Key: key, Value: fields[key]})
		}
		if b, err := js.AppendJSON(nil, order); err == nil {
			p.Data = types.NewStringBuffer(b)
		}
	}
}
