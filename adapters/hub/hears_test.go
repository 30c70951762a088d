package hub

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"parley/adapters/cluster"
	"parley/models"
)

// roomyBus is a bus that listens to each room by itself, as slowly as it is told.
type roomyBus struct {
	alone
	mu    sync.Mutex
	rooms []string // opened and not closed, in order
	asked chan struct{}
	heard chan struct{} // closed once what is opened is heard
}

var _ cluster.RoomWatcher = (*roomyBus)(nil)

func (b *roomyBus) RoomOpened(room string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rooms = append(b.rooms, room)
}

func (b *roomyBus) RoomClosed(room string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.rooms, room)
	b.rooms = slices.Delete(b.rooms, i, i+1)
}

func (b *roomyBus) RoomsHeard(ctx context.Context) error {
	b.asked <- struct{}{}
	select {
	case <-b.heard:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *roomyBus) open(room string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.rooms, room)
}

// TestAnEntrantIsHeardBeforeItHears: the bus is asked to listen before what was
// missed is looked up, and that waits for it.
func TestAnEntrantIsHeardBeforeItHears(t *testing.T) {
	bus := &roomyBus{asked: make(chan struct{}, 10), heard: make(chan struct{})}
	p := newPod(t, func(o *Options) { o.Bus = bus }, chat)
	looked := make(chan bool, 10) // whether the room was heard as it was looked up what was missed
	p.s.OnConnect(func(ctx context.Context, d *Door) (Welcome, error) {
		token, _ := d.Token()
		user := models.UserID(fmt.Sprint(token))
		d.Identify(user)
		d.Enter([]models.ChatID{chat})
		if err := d.Hears(ctx); err != nil {
			return Welcome{}, err
		}
		select {
		case <-bus.heard:
			looked <- true
		default:
			looked <- false
		}
		return Welcome{UserID: user}, nil
	})
	p.start()
	c := p.dial()
	c.send(`40{"token":"u"}`)
	select {
	case <-bus.asked:
	case <-looked:
		t.Fatal("looked up without being heard")
	}
	if !bus.open(string(chat)) || !bus.open(userRoom("u")) {
		t.Errorf("asked to hear %q", bus.rooms)
	}
	if len(looked) > 0 {
		t.Error("looked up before the rooms were heard")
	}
	close(bus.heard)
	if !<-looked {
		t.Error("looked up before the rooms were heard")
	}
	if first := c.next(); !strings.HasPrefix(first, `40{`) {
		t.Errorf("not let in: %s", first)
	}
	c.close()
	eventually(t, "the rooms are left", func() bool { return !bus.open(string(chat)) && !bus.open(userRoom("u")) })
}
