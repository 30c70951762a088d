package rooms

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"parley/models"
)

// deliverAll works off the receipts that wait.
func (w *world) deliverAll() {
	w.svc.deliver(context.Background(), fill(nil, w.svc.receipts))
}

// receiptsOf are what a message's sender was told of it.
func (w *world) receiptsOf(m models.Message) (told []models.MessageDelivered) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.emitted {
		if d, ok := e.event.(models.MessageDelivered); ok && d.MessageID == m.ID {
			if !reflect.DeepEqual(e.to, models.Audience{Users: []models.UserID{m.SenderID}}) {
				w.t.Errorf("the receipt %+v went to %+v", d, e.to)
			}
			told = append(told, d)
		}
	}
	return told
}

// comeOnline gives users a socket, on this pod or another.
func (w *world) comeOnline(here bool, users ...models.UserID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, u := range users {
		w.sockets[u] = append(w.sockets[u], models.SocketID("s of "+u))
		if here {
			if w.seats == nil {
				w.seats = map[models.UserID][]models.ChatID{}
			}
			w.seats[u] = nil
		}
	}
}

func TestAReceiptIsOneForAllWhoAreOnline(t *testing.T) {
	w := newWorld(t)
	users := []models.UserID{"ann"}
	for i := range 50 {
		users = append(users, models.UserID(fmt.Sprintf("u%02d", i)))
	}
	chat := w.chat(users...)
	w.comeOnline(true, "ann", "u00", "u01")
	w.comeOnline(false, "u02", "u03")
	m := w.send("ann", chat, "hi")
	n := w.send("u00", chat, "ho")
	w.deliverAll()
	for _, c := range []struct {
		m    models.Message
		want []models.UserID
	}{{m, []models.UserID{"u00", "u01", "u02", "u03"}}, {n, []models.UserID{"ann", "u01", "u02", "u03"}}} {
		want := models.MessageDelivered{MessageID: c.m.ID, ChatID: chat, UserIDs: c.want, At: w.svc.now()}
		if got := w.receiptsOf(c.m); !reflect.DeepEqual(got, []models.MessageDelivered{want}) {
			t.Errorf("told %+v\nwant %+v once", got, want)
		}
	}
	if len(w.looks) != 1 || len(w.looks[0]) != 48 {
		t.Errorf("looked up %v; want those who are not here, once", w.looks)
	}
}

// Who was online elsewhere a moment ago is not looked up again; who was not, is:
// they may have come.
func TestReceiptsRememberWhoIsOnlineForMoments(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob", "cem")
	w.comeOnline(false, "bob")
	for i, c := range []struct {
		passes time.Duration
		looks  []models.UserID
		want   []models.UserID
	}{
		{0, []models.UserID{"ann", "bob", "cem"}, []models.UserID{"bob"}},
		{lookoutTurn / 2, []models.UserID{"ann", "cem"}, []models.UserID{"bob", "cem"}},
		{lookoutTurn / 2, []models.UserID{"ann"}, []models.UserID{"bob", "cem"}},
		{lookoutTurn, []models.UserID{"ann", "bob", "cem"}, []models.UserID{"bob", "cem"}},
		{3 * lookoutTurn, []models.UserID{"ann", "bob", "cem"}, []models.UserID{"bob", "cem"}},
	} {
		w.advance(c.passes)
		if i == 1 {
			w.comeOnline(false, "cem")
		}
		w.looks = nil
		m := w.send("ann", chat, "hi")
		w.deliverAll()
		if got := w.receiptsOf(m); len(got) != 1 || !reflect.DeepEqual(got[0].UserIDs, c.want) {
			t.Errorf("step %d: told %+v, want %v", i, got, c.want)
		}
		if !reflect.DeepEqual(w.looks, [][]models.UserID{c.looks}) {
			t.Errorf("step %d: looked up %v, want %v", i, w.looks, c.looks)
		}
	}
}

func TestThoseWhoComeBackAreToldOfTogether(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob", "cem")
	w.connect("ann", "a1")
	for _, u := range []models.UserID{"bob", "cem"} {
		w.connect(u, models.SocketID(u))
		w.disconnect(u, models.SocketID(u))
	}
	w.advance(time.Minute)
	m := w.send("ann", chat, "missed")
	own := w.send("bob", chat, "said while away")
	w.deliverAll()
	if got := w.receiptsOf(m); len(got) != 0 {
		t.Fatalf("told %+v of nobody", got)
	}
	w.connect("bob", "b2")
	w.connect("cem", "c2")
	w.deliverAll()
	want := models.MessageDelivered{MessageID: m.ID, ChatID: chat, UserIDs: []models.UserID{"bob", "cem"}, At: w.svc.now()}
	if got := w.receiptsOf(m); !reflect.DeepEqual(got, []models.MessageDelivered{want}) {
		t.Errorf("told %+v\nwant %+v once", got, want)
	}
	if got := w.receiptsOf(own); len(got) != 2 || !reflect.DeepEqual(got[1].UserIDs, []models.UserID{"cem"}) {
		t.Errorf("of one's own message told %+v", got)
	}
}

func TestReceiptsWithoutRedisAreOfThoseHere(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob", "cem")
	w.comeOnline(true, "bob")
	w.comeOnline(false, "cem")
	w.failing("online", errAway)
	m := w.send("ann", chat, "hi")
	w.deliverAll()
	if got := w.receiptsOf(m); len(got) != 1 || !reflect.DeepEqual(got[0].UserIDs, []models.UserID{"bob"}) {
		t.Errorf("told %+v", got)
	}
	if w.dropped["receipt_failed"] != 1 {
		t.Errorf("dropped %v", w.dropped)
	}
}

// What is alone is told at once, what follows closely together.
func TestGatherWaitsForCompanyOnlyAfterOthers(t *testing.T) {
	from := make(chan int, 8)
	batches := make(chan []int)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		gather(ctx, from, func(_ context.Context, batch []int) { batches <- batch })
	}()
	from <- 1
	first := <-batches
	from <- 2
	from <- 3
	if got := [][]int{first, <-batches}; !reflect.DeepEqual(got, [][]int{{1}, {2, 3}}) {
		t.Errorf("gathered %v", got)
	}
	cancel()
	<-ended
}
