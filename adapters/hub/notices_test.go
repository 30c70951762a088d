package hub

import (
	"reflect"
	"testing"

	"parley/models"
)

// Several events are one write: a poll that waits is answered with all of them.
func TestSeveralNoticesAreWrittenTogether(t *testing.T) {
	t.Parallel()
	hub := &fakeHub{}
	near := newPod(t, func(o *Options) { slowPings(o); o.Bus = hub.bus() }, chat).start()
	far := newPod(t, func(o *Options) { slowPings(o); o.Bus = hub.bus() }, chat).start()
	q := near.poller()
	q.connect()
	answer := q.start()
	eventually(t, "poll", near.polled(q))
	abroad, named := far.dial(), near.dial()
	abroad.connect("abroad")
	named.connect("named")
	near.s.EmitEach([]models.Notice{
		{To: toChat(chat), Event: models.UserOnline{UserID: "v"}},
		{Event: models.UserOnline{UserID: "of nobody"}},
		{To: models.Audience{Users: []models.UserID{"named"}}, Event: models.UserOnline{UserID: "w"}},
		{To: models.Audience{Chats: []models.ChatID{chat}, ExceptUsers: []models.UserID{"named"}}, Event: models.UserOnline{UserID: "x"}},
	})
	v, w, x := `42["user_online",{"userId":"v"}]`, `42["user_online",{"userId":"w"}]`, `42["user_online",{"userId":"x"}]`
	if got := <-answer; got != v+"\x1e"+x {
		t.Errorf("the poll was answered %q", got)
	}
	if got := []string{named.next(), named.next()}; !reflect.DeepEqual(got, []string{v, w}) {
		t.Errorf("who is named was sent %q", got)
	}
	if got := []string{abroad.next(), abroad.next()}; !reflect.DeepEqual(got, []string{v, x}) {
		t.Errorf("on the other pod was sent %q", got)
	}
	if n := near.counts.get(func() int { return near.counts.delivered }); n != 4 {
		t.Errorf("%d deliveries counted", n)
	}
	if got := near.s.Here([]models.UserID{"abroad", "named", ""}); !reflect.DeepEqual(got, []bool{false, true, false}) {
		t.Errorf("here are %v", got)
	}
}
