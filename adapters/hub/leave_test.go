package hub

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/models"
)

// What a socket was sent in a room it has left, or left and entered again, it was
// sent all the same.
func TestWhatWasSentInARoomThatWasLeft(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat).start()
	c := p.dial()
	c.connect("u")
	ctx, who := context.Background(), models.Audience{Users: []models.UserID{"u"}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	p.s.Emit(toChat(chat), msg(chat, 1, "in"))
	must(p.s.Leave(ctx, who, chat))
	p.s.Emit(toChat(chat), msg(chat, 2, "out"))
	must(p.s.Join(ctx, who, chat))
	p.s.Emit(toChat(chat), msg(chat, 3, "in again"))
	must(p.s.Leave(ctx, who, chat))
	must(p.s.Join(ctx, who, chat))
	for _, n := range []int{1, 2, 3} { // the room was empty in between, and remembers nothing
		m := msg(chat, n, "again").Message
		m.CreatedAt = time.Now()
		p.s.Retell(m, time.Now(), nil)
	}
	p.s.Emit(toChat(chat), msg(chat, 4, "the end"))
	for i, want := range []string{"in", "in again", "again", "the end"} {
		if got := c.next(); !strings.Contains(got, `"`+want+`"`) {
			t.Errorf("%d: sent %q, want %q", i, got, want)
		}
	}
	c.close()
	eventually(t, "the departure", func() bool { return len(p.departures()) == 1 })
	var sent []models.MessageID
	for _, d := range p.departures()[0].Sent {
		sent = append(sent, d.ID)
	}
	if want := []models.MessageID{msg(chat, 1, "").Message.ID, msg(chat, 3, "").Message.ID, msg(chat, 2, "").Message.ID, msg(chat, 4, "").Message.ID}; !slices.Equal(sent, want) {
		t.Errorf("it was sent %v, want %v", sent, want)
	}
}
