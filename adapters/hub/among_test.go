package hub

import (
	"strings"
	"testing"

	"parley/adapters/socketio"
)

// Answers among the messages do not shift what is told to be unread when the
// connection breaks: a message that was taken whole was sent, the one after it,
// taken in part or not at all, was not.
func TestAnswersAmongMessagesWhenTheConnectionBreaks(t *testing.T) {
	t.Parallel()
	p := newPod(t, func(o *Options) { slowPings(o); o.MaxBacklogBytes = 64 << 20 }, chat).start()
	c := p.dial()
	m := p.s.index.find(c.connect("u"))
	text := strings.Repeat("x", 32<<10)
	answer := uint64(0)
	answers := func(n int) {
		for range n {
			answer++
			m.socket.Send(socketio.Packet{Type: socketio.TypeAck, ID: &answer, Data: []any{text[:1000]}})
		}
		m.socket.Flush()
	}
	for n := 1; len(m.session.Pending()) < 100; n++ {
		answers(n % 3)
		p.s.Emit(toChat(chat), msg(chat, n, text))
	}
	answers(2)
	m.cut(cutReplaced)
	eventually(t, "the departure", func() bool { return len(p.departures()) == 1 })
	read := 0
	for {
		f, err := c.read()
		if err != nil {
			break
		}
		if _, ok := textOf(f); ok {
			read++
		}
	}
	d := p.departures()[0]
	had := d.Sent[:len(d.Sent)-d.Unread]
	if len(had) == 0 {
		t.Fatalf("%d sent, %d unread; the client had %d", len(d.Sent), d.Unread, read)
	}
	if want := msg(chat, read, "").Message.ID; d.Unread == 0 || had[len(had)-1].ID != want {
		t.Errorf("the last that was sent is %v, %d more are unread; the client had %v", had[len(had)-1].ID, d.Unread, want)
	}
	for _, id := range d.Seen {
		if id > msg(chat, read, "").Message.ID {
			t.Errorf("%v counts as seen", id)
		}
	}
}
