package hub

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley/adapters/cluster"
)

// slowBus hears the others only once it is told so.
type slowBus struct {
	alone
	others chan struct{}
}

func (b slowBus) Start(ctx context.Context, _ cluster.Local) error {
	select {
	case <-b.others:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// startSlowly starts a pod that listens before it hears the others.
func startSlowly(t *testing.T, p *pod) <-chan error {
	p.http = httptest.NewServer(p.s.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	started := make(chan error, 1)
	go func() { started <- p.s.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		bounded, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.s.Close(bounded); err != nil {
			t.Errorf("close: %v", err)
		}
		p.http.Close()
	})
	return started
}

// Whoever comes before the other pods are heard waits: what they send to the
// chats between the look for what was missed and the subscription would be lost.
func TestNobodyIsLetInBeforeTheOthersAreHeard(t *testing.T) {
	t.Parallel()
	bus := slowBus{others: make(chan struct{})}
	p := newPod(t, func(o *Options) { o.Bus = bus }, chat)
	var early atomic.Bool
	letIn := p.s.onConnect
	p.s.OnConnect(func(ctx context.Context, d *Door) (Welcome, error) {
		select {
		case <-bus.others:
		default:
			early.Store(true)
		}
		return letIn(ctx, d)
	})
	started := startSlowly(t, p)
	c := p.dial()
	c.send(`40{"token":"u"}`)
	eventually(t, "it to be at the door", func() bool { return p.s.Sockets() == 1 })
	time.Sleep(20 * time.Millisecond) // for one that would not wait
	close(bus.others)
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	if f := c.next(); !strings.HasPrefix(f, "40") || early.Load() {
		t.Errorf("got %q; let in early: %v", f, early.Load())
	}
}

func TestTheOthersAreNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	p := newPod(t, func(o *Options) {
		o.Bus, o.ConnectTimeout = slowBus{others: make(chan struct{})}, 50*time.Millisecond
	}, chat)
	startSlowly(t, p)
	c := p.dial()
	c.send(`40{"token":"u"}`)
	c.endedSilently(p, cutUnavailable)
	eventually(t, "it to be gone", func() bool { return p.s.Sockets() == 0 })
}
