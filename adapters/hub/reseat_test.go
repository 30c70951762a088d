package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"parley/adapters/socketio"
	"parley/models"
)

const (
	chatB = models.ChatID("00000000000000000000000b")
	chatC = models.ChatID("00000000000000000000000c")
	chatD = models.ChatID("00000000000000000000000d")
)

// sits returns which of the chats the socket is in.
func (p *pod) sits(id models.SocketID, chats ...models.ChatID) (in []models.ChatID) {
	for _, c := range chats {
		if p.s.InRoom(id, c) {
			in = append(in, c)
		}
	}
	return in
}

func says(user models.UserID, chats ...models.ChatID) func() (map[models.UserID][]models.ChatID, error) {
	return func() (map[models.UserID][]models.ChatID, error) {
		return map[models.UserID][]models.ChatID{user: chats}, nil
	}
}

func TestReseat(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat).start()
	c := p.dial()
	u := models.SocketID(c.connect("u"))
	v := models.SocketID(p.dial().connect("v"))
	users := p.s.Users()
	slices.Sort(users)
	if fmt.Sprint(users) != "[u v]" {
		t.Errorf("users %v", users)
	}
	// A room that is no chat is nobody's business here.
	p.s.joinLocal(socketio.Audience{Rooms: []string{string(u)}}, []string{"vip"})
	seats, err := p.s.Reseat(context.Background(), users[:1], says("u", chatB))
	want := []models.Seat{{UserID: "u", SocketID: u, ChatID: chatB, Taken: true}, {UserID: "u", SocketID: u, ChatID: chat}}
	if err != nil || !slices.Equal(seats, want) {
		t.Errorf("seats %v, %v", seats, err)
	}
	if got := p.sits(u, chat, chatB, "vip"); fmt.Sprint(got) != fmt.Sprint([]models.ChatID{chatB, "vip"}) {
		t.Errorf("u sits in %v", got)
	}
	if got := p.sits(v, chat, chatB); !slices.Equal(got, []models.ChatID{chat}) {
		t.Errorf("v sits in %v", got)
	}
	p.s.EmitLocal(toChat(chat), msg(chat, 1, "not for u"))
	p.s.EmitLocal(toChat(chatB), msg(chatB, 2, "for u"))
	if got := c.message(); got != "for u" {
		t.Errorf("u got %q", got)
	}
	if seats, err := p.s.Reseat(context.Background(), users[:1], says("u", chatB)); err != nil || len(seats) != 0 {
		t.Errorf("again: %v, %v", seats, err)
	}
}

// What look knows is older than what comes while it looks.
func TestReseatLetsBeWhatMovesMeanwhile(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat).start()
	u := models.SocketID(p.dial().connect("u"))
	all := socketio.Audience{Rooms: []string{userRoom("u")}}
	p.s.joinLocal(all, []string{string(chatB), string(chatC)})
	seats, err := p.s.Reseat(context.Background(), []models.UserID{"u", "nobody"}, func() (map[models.UserID][]models.ChatID, error) {
		p.s.leaveLocal(all, []string{string(chatB)}) // out of what is about to be said
		p.s.joinLocal(all, []string{string(chatC)})  // and into what is not, where it was already
		p.s.joinLocal(all, []string{string(chatD)})
		return says("u", chat, chatB)()
	})
	if err != nil || len(seats) != 0 {
		t.Errorf("seats %v, %v", seats, err)
	}
	if got := p.sits(u, chat, chatB, chatC, chatD); !slices.Equal(got, []models.ChatID{chat, chatC, chatD}) {
		t.Errorf("sits in %v", got)
	}
	broken := errors.New("no database")
	if _, err := p.s.Reseat(context.Background(), []models.UserID{"u"}, func() (map[models.UserID][]models.ChatID, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if got := p.sits(u, chat, chatB, chatC, chatD); !slices.Equal(got, []models.ChatID{chat, chatC, chatD}) {
		t.Errorf("after an error it sits in %v", got)
	}
}

// A socket at the door may have looked its chats up while nobody was heard.
func TestReseatAtTheDoor(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat)
	identified, enter := make(chan models.SocketID), make(chan bool)
	entered, finish := make(chan bool), make(chan struct{})
	p.s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
		d.Identify("u")
		identified <- d.SocketID()
		for range enter {
			entered <- d.Enter([]models.ChatID{chat, chatC})
		}
		<-finish
		return Welcome{UserID: "u"}, nil
	})
	p.start()
	c := p.dial()
	c.send(`40{"token":"u"}`)
	id := <-identified
	reseat := func(chats ...models.ChatID) []models.Seat {
		seats, err := p.s.Reseat(context.Background(), []models.UserID{"u"}, says("u", chats...))
		if err != nil {
			t.Error(err)
		}
		return seats
	}
	if seats := reseat(chatB); len(seats) != 0 {
		t.Errorf("seats %v, before it had any", seats)
	}
	for i, want := range []bool{false, true} {
		enter <- true
		if got := <-entered; got != want {
			t.Errorf("try %d to enter: %v", i, got)
		}
	}
	if got := p.sits(id, chat, chatB, chatC); !slices.Equal(got, []models.ChatID{chat, chatC}) {
		t.Errorf("sits in %v", got)
	}
	// It has entered: from now on it is moved.
	if seats := reseat(chatB, chatC); len(seats) != 2 {
		t.Errorf("seats %v", seats)
	}
	p.s.EmitLocal(models.Audience{Sockets: []models.SocketID{id}}, msg(chatB, 1, "you are here"))
	close(enter)
	close(finish)
	if got := c.next(); got[:2] != "40" {
		t.Fatalf("got %q", got)
	}
	if got := c.message(); got != "you are here" {
		t.Errorf("got %q", got)
	}
	if got := p.sits(id, chat, chatB, chatC); !slices.Equal(got, []models.ChatID{chatB, chatC}) {
		t.Errorf("sits in %v", got)
	}
}

func TestRetell(t *testing.T) {
	t.Parallel()
	bus := (&fakeHub{}).bus()
	p := newPod(t, func(o *Options) { o.Bus = bus }, chat)
	resumed, done := make(chan struct{}), make(chan struct{})
	p.s.OnResumed(func(context.Context, time.Time) error {
		resumed <- struct{}{}
		<-done
		return nil
	})
	p.start()
	stays, late := p.dial(), p.dial()
	stays.connect("stays")
	l := models.SocketID(late.connect("late"))
	message := func(id int, text string) models.Message { return msg(chat, id, text).Message }
	if _, err := p.s.Reseat(context.Background(), []models.UserID{"late"}, says("late")); err != nil {
		t.Fatal(err)
	}
	bus.local.Resumed(time.Now())
	<-resumed
	p.s.Emit(toChat(chat), msg(chat, 1, "said here, before late was there"))
	p.s.Emit(toChat(chat), msg(chat, 5, "as well, and not retold now"))
	if _, err := p.s.Reseat(context.Background(), []models.UserID{"late"}, says("late", chat)); err != nil {
		t.Fatal(err)
	}
	p.s.Emit(toChat(chat), msg(chat, 2, "said here since"))
	for range 2 { // as after an error
		for i, text := range []string{"said elsewhere", "said here, before late was there", "said here since"} {
			p.s.Retell(message(i, text), time.Now(), nil)
		}
	}
	p.s.Retell(models.Message{ID: "x", ChatID: chatD}, time.Now(), nil) // nobody is there
	done <- struct{}{}
	eventually(t, "the end of it", func() bool {
		p.s.resumption.mu.Lock()
		defer p.s.resumption.mu.Unlock()
		return !p.s.resumption.running
	})
	bus.local.Resumed(time.Now())
	<-resumed
	p.s.Retell(message(5, "as well, and not retold now"), time.Now(), nil)
	p.s.Emit(toChat(chat), msg(chat, 9, "end"))
	done <- struct{}{}
	for _, tt := range []struct {
		c    *client
		want []string
	}{
		{stays, []string{"said here, before late was there", "as well, and not retold now", "said here since", "said elsewhere", "end"}},
		{late, []string{"said here since", "said elsewhere", "said here, before late was there", "end"}},
	} {
		for _, want := range tt.want {
			if got := tt.c.message(); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
	if !p.s.InRoom(l, chat) {
		t.Error("late is not there")
	}
}

// moodyBus hears the others or not, as the test says.
type moodyBus struct {
	*fakeBus
	away atomic.Bool
}

func (b *moodyBus) Ready() error {
	if b.away.Load() {
		return errors.New("away")
	}
	return nil
}

// While not every connection is back, more is going to be asked.
func TestWhoWasSeatedIsRememberedUntilAllIsHeard(t *testing.T) {
	t.Parallel()
	bus := &moodyBus{fakeBus: (&fakeHub{}).bus()}
	p := newPod(t, func(o *Options) { o.Bus, o.PingInterval = bus, 100*time.Millisecond }, chat)
	asked := make(chan struct{})
	p.s.OnResumed(func(context.Context, time.Time) error {
		asked <- struct{}{}
		return nil
	})
	p.start()
	id := p.dial().connect("u")
	seated := func() int {
		p.s.index.mu.Lock()
		defer p.s.index.mu.Unlock()
		return len(p.s.index.members[id].seating.seated)
	}
	idle := func() bool {
		p.s.resumption.mu.Lock()
		defer p.s.resumption.mu.Unlock()
		return !p.s.resumption.running
	}
	bus.away.Store(true)
	bus.local.Resumed(time.Now())
	if _, err := p.s.Reseat(context.Background(), []models.UserID{"u"}, says("u", chat, chatB, chatC)); err != nil {
		t.Fatal(err)
	}
	<-asked
	eventually(t, "the end of the question", idle)
	if got := seated(); got != 2 {
		t.Errorf("%d seats are known while others are not heard", got)
	}
	p.s.leaveLocal(socketio.Audience{Rooms: []string{id}}, []string{string(chatB)})
	if got := seated(); got != 1 {
		t.Errorf("%d seats after it left one", got)
	}
	bus.away.Store(false)
	eventually(t, "the sweep", func() bool { return seated() == 0 })
}
