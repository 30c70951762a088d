package socketio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

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
	p.s.joinLocal(selection{rooms: []string{string(u)}}, []string{"vip"})
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
	all := selection{rooms: []string{userRoom("u")}}
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
	identified, enter := make(chan models.SocketID), make(chan struct{})
	p.s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
		d.Identify("u")
		identified <- d.SocketID()
		<-enter
		d.Enter([]models.ChatID{chat, chatC})
		return Welcome{UserID: "u"}, nil
	})
	p.start()
	c := p.dial()
	c.send(`40{"token":"u"}`)
	id := <-identified
	seats, err := p.s.Reseat(context.Background(), []models.UserID{"u"}, says("u", chatB, chatC))
	if err != nil || len(seats) != 0 {
		t.Errorf("seats %v, %v: nobody was told yet where it sits", seats, err)
	}
	p.s.leaveLocal(selection{rooms: []string{userRoom("u")}}, []string{string(chatC)})
	close(enter)
	if got := c.next(); got[:2] != "40" {
		t.Fatalf("got %q", got)
	}
	if got := p.sits(id, chat, chatB, chatC); !slices.Equal(got, []models.ChatID{chatB}) {
		t.Errorf("sits in %v", got)
	}
}
