package redis

import (
	"context"
	"sync"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

// notices is one subscription for all of this pod that wait for something to be
// noted in Redis: a connection while anybody waits, however many they are.
type notices struct {
	client driver.UniversalClient

	mu sync.Mutex
	// waiting is who waits on which channel; a goroutine of its own keeps the
	// subscription to that while there is anybody.
	waiting map[string][]chan struct{}
	running bool
	changed chan struct{}
}

func newNotices(client driver.UniversalClient) *notices {
	return &notices{client: client, waiting: map[string][]chan struct{}{}, changed: make(chan struct{}, 1)}
}

// await returns what is poked when it is time to look: once the channel is
// listened to, again whenever it is after a broken connection, and with each
// message on it. It does not wait for Redis; done ends it.
func (n *notices) await(channel string) (look <-chan struct{}, done func()) {
	c := make(chan struct{}, 1)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting[channel] = append(n.waiting[channel], c)
	if !n.running {
		n.running = true
		go n.run(n.client.Subscribe(context.Background()))
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
	poke(n.changed)
}

// run ends with the last who waits.
func (n *notices) run(sub *driver.PubSub) {
	defer func() { _ = sub.Close() }()
	var heard <-chan any // nothing to be heard before there is a connection
	listening := map[string]bool{}
	for {
		select {
		case <-n.changed:
			come, gone, nobody := n.changes(listening)
			if nobody {
				return
			}
			n.follow(sub, come, gone)
			if heard == nil {
				heard = sub.ChannelWithSubscriptions()
			}
		case m, ok := <-heard:
			switch m := m.(type) {
			case *driver.Subscription:
				n.wake(m.Channel)
			case *driver.Message:
				n.wake(m.Channel)
			}
			if !ok { // the client was closed; who waits has its last look
				heard = nil
			}
		}
	}
}

// follow subscribes as those who wait have changed. What fails is done with the
// driver's next connection; until then, who waits has its last look.
func (n *notices) follow(sub *driver.PubSub, come, gone []string) {
	if len(come) > 0 {
		_ = sub.Subscribe(context.Background(), come...)
	}
	if len(gone) > 0 { // none at all would be every channel
		_ = sub.Unsubscribe(context.Background(), gone...)
	}
}

// changes says what is to be listened to from now on, and what not any more.
func (n *notices) changes(listening map[string]bool) (come, gone []string, nobody bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.waiting) == 0 {
		n.running = false
		return nil, nil, true
	}
	for channel := range n.waiting {
		if !listening[channel] {
			listening[channel] = true
			come = append(come, channel)
		}
	}
	for channel := range listening {
		if n.waiting[channel] == nil {
			delete(listening, channel)
			gone = append(gone, channel)
		}
	}
	return come, gone, false
}

func (n *notices) wake(channel string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.waiting[channel] {
		poke(c)
	}
}
