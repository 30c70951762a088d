package hub

import (
	"bytes"
	"context"
	"net/http"
	"runtime"
	"runtime/metrics"
	"time"
)

const (
	// breath is after how long it is looked again whether a processor is free.
	breath = time.Millisecond
	// longestRest is how long somebody holds back for those who are connected. All
	// behind wait as long, so that where n do it is aCrowd/n at most: 20,000 on a pod
	// that always has something to do are in within 16 s. A stock client waits 20 s
	// for its connection.
	longestRest = 4 * time.Millisecond
	aCrowd      = 4 * time.Second
)

// pace lets those who are connected go before those who come: who comes goes on
// one after the other, first come first served, and only while hardly anything
// waits for a processor. A post would otherwise stand behind what is to be done
// for a thousand who come, once for each goroutine it passes through, and Go
// looks for what has arrived from clients and databases only when nothing else
// is left to do. Nobody is refused, and nobody waits for a processor that is
// never free.
type pace struct {
	line *places
	busy func() bool
}

func newPace() *pace { return &pace{line: newPlaces(1), busy: processorsBusy()} }

// step returns when it is the caller's turn, or ctx ends.
func (p *pace) step(ctx context.Context) error {
	if err := p.line.take(ctx, false); err != nil {
		return err
	}
	defer p.line.give()
	left := min(longestRest, aCrowd/time.Duration(1+p.line.waiting()))
	for ; left > 0 && p.busy(); left -= breath {
		rest := time.NewTimer(min(breath, left))
		select {
		case <-rest.C:
		case <-ctx.Done():
			rest.Stop()
			return ctx.Err()
		}
	}
	return nil
}

// Turn returns when it is the turn of a connection that begins so: at once where
// it does not ask for a socket. What the HTTP server does with a request before a
// handler sees it takes as long as all that follows until the client is told its
// sid; so who comes waits before that.
func (s *Server) Turn(first []byte) (waited bool) {
	path, ok := bytes.CutPrefix(first, []byte("GET "))
	if ok = ok && bytes.HasPrefix(path, []byte(s.opts.Path+"/")); ok {
		_ = s.coming.step(s.life) // who comes as all ends is told so by others
	}
	return ok
}

// comes lets a new session begin in its turn, unless its connection had to wait
// for that already.
func (s *Server) comes(r *http.Request) error {
	if s.opts.Waited != nil && s.opts.Waited(r.Context()) {
		return nil
	}
	return s.coming.step(r.Context())
}

// processorsBusy says whether as many goroutines wait for a processor as there
// are processors. It is not called by several at once.
func processorsBusy() func() bool {
	runnable := []metrics.Sample{{Name: "/sched/goroutines/runnable:goroutines"}}
	return func() bool {
		metrics.Read(runnable)
		v := runnable[0].Value
		return v.Kind() == metrics.KindUint64 && v.Uint64() >= uint64(runtime.GOMAXPROCS(0))
	}
}
