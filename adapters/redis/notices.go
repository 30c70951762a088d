package redis

import (
	"context"
	"sync"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

const (
	// silence is how long nothing comes on a connection that is sound: who waits
	// does so for about a second, and each that comes or goes is confirmed.
	silence     = 2 * time.Second
	listenAgain = 200 * time.Millisecond
)

// asItIs is for those who use a subscription's connection: the driver must not
// dial anew in their name, which a context that is over keeps it from. It holds a
// lock over that, for which all others would wait that use the connection.
var asItIs = over()

func over() context.Context {
	ctx, end := context.WithCancel(context.Background())
	end()
	return ctx
}

// notices is one subscription for all of this pod that wait for something to be
// noted in Redis: a connection while anybody waits, however many they are.
type notices struct {
	client driver.UniversalClient

	mu sync.Mutex
	// waiting is who waits on which channel; a goroutine of its own keeps the
	// subscription to that while there is anybody.
	waiting map[string][]chan struct{}
	moved   map[string]struct{} // channels somebody has begun or ceased to wait on since
	running bool
	changed chan struct{}
}

func newNotices(client driver.UniversalClient) *notices {
	return &notices{client: client, waiting: map[string][]chan struct{}{}, moved: map[string]struct{}{}, changed: make(chan struct{}, 1)}
}

// await returns what is poked when it is time to look: once the channel is
// listened to, again whenever it is after a broken connection, and with each
// message on it. It does not wait for Redis; done ends it.
func (n *notices) await(channel string) (look <-chan struct{}, done func()) {
	c := make(chan struct{}, 1)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting[channel] = append(n.waiting[channel], c)
	n.moved[channel] = struct{}{}
	if !n.running {
		n.running = true
		go n.run()
	}
	poke(n.changed)
	return c, func() { n.leave(channel, c) }
}

// awaitNote calls look each time something may have been noted under the key, and
// a last time when patience ends, until it has found it.
func (p *Presence) awaitNote(ctx context.Context, key string, patience time.Duration, look func() (found bool, err error)) error {
	again, done := p.notices.await(key)
	defer done()
	end := time.NewTimer(patience)
	defer end.Stop()
	for over := false; !over; {
		select {
		case <-ctx.Done():
			return models.Unavailable("the server", ctx.Err())
		case <-end.C:
			over = true
		case <-again:
		}
		if found, err := look(); err != nil || found {
			return err
		}
	}
	return nil
}

func (n *notices) leave(channel string, c chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	left := n.waiting[channel]
	for i, other := range left {
		if other == c {
			left = append(left[:i], left[i+1:]...)
			break
		}
	}
	if n.waiting[channel] = left; len(left) == 0 {
		delete(n.waiting, channel)
	}
	n.moved[channel] = struct{}{}
	poke(n.changed)
}

// run listens while anybody waits; it ends with the last who does.
func (n *notices) run() {
	for n.listen() {
		time.Sleep(listenAgain)
	}
}

// listen is one connection from beginning to end; it is false once nobody waits.
func (n *notices) listen() (again bool) {
	listening := map[string]bool{}
	n.listenAnew()
	come, _, nobody := n.changes(listening)
	if nobody {
		return false
	}
	sub := n.client.Subscribe(context.Background())
	if sub.Subscribe(context.Background(), come...) != nil {
		_ = sub.Close()
		return true
	}
	broken := make(chan struct{})
	go func() { // ends with the connection, which is closed here
		defer close(broken)
		n.hear(sub)
	}()
	defer func() {
		_ = sub.Close()
		<-broken
	}()
	for {
		select {
		case <-broken:
			return true
		case <-n.changed:
		}
		come, gone, nobody := n.changes(listening)
		if nobody {
			return false
		}
		if len(come) > 0 && sub.Subscribe(asItIs, come...) != nil {
			return true
		}
		if len(gone) > 0 && sub.Unsubscribe(asItIs, gone...) != nil { // none at all would be every channel
			return true
		}
	}
}

// hear wakes those who wait for what comes, until the connection is broken or
// has been silent for so long that it may be.
func (n *notices) hear(sub *driver.PubSub) {
	for {
		got, err := sub.ReceiveTimeout(asItIs, silence)
		switch m := got.(type) {
		case *driver.Subscription:
			n.wake(m.Channel)
		case *driver.Message:
			n.wake(m.Channel)
		}
		if err != nil {
			return // it is listened again, and who waits looks then
		}
	}
}

// listenAnew is for a connection that listens to nothing yet: whatever is waited on
// is new to it.
func (n *notices) listenAnew() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for channel := range n.waiting {
		n.moved[channel] = struct{}{}
	}
}

// changes says what is to be listened to from now on, and what not any more.
func (n *notices) changes(listening map[string]bool) (come, gone []string, nobody bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.waiting) == 0 {
		n.running = false
		clear(n.moved)
		return nil, nil, true
	}
	for channel := range n.moved { // of thousands that wait, a few
		switch awaited := n.waiting[channel] != nil; {
		case awaited && !listening[channel]:
			listening[channel] = true
			come = append(come, channel)
		case !awaited && listening[channel]:
			delete(listening, channel)
			gone = append(gone, channel)
		}
	}
	clear(n.moved)
	return come, gone, false
}

func (n *notices) wake(channel string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.waiting[channel] {
		poke(c)
	}
}
