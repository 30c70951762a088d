package rooms

import (
	"context"
	"reflect"
	"testing"
	"time"

	"parley/models"
)

func TestOnlineAndOfflineAreToldOnceToThoseWhoShareAChat(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.chat("cem", "dee")
	w.connect("bob", "b1")
	w.connect("bob", "b2")
	w.disconnect("bob", "b1")
	w.advance(time.Minute)
	w.disconnect("bob", "b2")
	w.disconnect("bob", "b2") // the library may say it twice
	others := models.Audience{Chats: []models.ChatID{chat}, ExceptUsers: []models.UserID{"bob"}}
	want := []emission{
		{others, models.UserOnline{UserID: "bob"}},
		{others, models.UserOffline{UserID: "bob", LastSeen: w.now()}},
	}
	if !reflect.DeepEqual(w.emitted, want) {
		t.Errorf("emitted %+v\nwant %+v", w.emitted, want)
	}
}

func TestDepartedAnnouncesWhatPresenceFoundOut(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.connect("bob", "b1")
	at := w.now()
	w.advance(time.Minute)
	missed := w.send("ann", chat, "sent into the void")
	w.sockets["bob"] = nil // the reaper took it out
	w.svc.Departed(context.Background(), models.Departure{UserID: "bob", SocketID: "b1", At: at, Reason: "pod lost"}, 0)
	if got := w.last(); !reflect.DeepEqual(got, models.UserOffline{UserID: "bob", LastSeen: at}) {
		t.Errorf("last event %+v", got)
	}
	same(t, "on return", w.connect("bob", "b2"), missed.Text)
}

func TestRestoredIsOnlineAgainAndNoLongerAway(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	w.connect("bob", "b1")
	w.sockets["bob"] = nil // the reaper took it out
	w.svc.Departed(context.Background(), models.Departure{UserID: "bob", SocketID: "b1", At: w.now(), Reason: "pod lost"}, 0)
	w.advance(time.Minute)
	w.send("ann", chat, "heard all the same")
	w.announce()
	w.sockets["bob"] = []models.SocketID{"b1"}
	w.svc.Restored(context.Background(), "bob", "b1", 0)
	if got := w.last(); got != (models.UserOnline{UserID: "bob"}) {
		t.Errorf("last event %+v", got)
	}
	w.advance(time.Minute)
	same(t, "another device", w.connect("bob", "b2"))
}

func TestRemoveFailureIsLeftToPresence(t *testing.T) {
	w := newWorld(t)
	w.chat("ann", "bob")
	w.connect("bob", "b1")
	n := len(w.emitted)
	w.failing("remove", errAway)
	w.disconnect("bob", "b1")
	if len(w.emitted) != n {
		t.Error("announced offline although nobody knows")
	}
}

func TestPresenceOf(t *testing.T) {
	w := newWorld(t)
	w.chat("ann", "bob")
	w.connect("bob", "b1")
	ctx := context.Background()
	if p, err := w.svc.PresenceOf(ctx, "ann", "bob"); err != nil || p.Sockets != 1 || !p.LastSeen.IsZero() {
		t.Errorf("online: %+v, %v", p, err)
	}
	at := w.now()
	w.disconnect("bob", "b1")
	if p, err := w.svc.PresenceOf(ctx, "ann", "bob"); err != nil || p.Sockets != 0 || !p.LastSeen.Equal(at) {
		t.Errorf("offline: %+v, %v", p, err)
	}
	if _, err := w.svc.PresenceOf(ctx, "eve", "bob"); models.CodeOf(err) != models.CodeNotAParticipant {
		t.Errorf("stranger: %v", err)
	}
	if p, err := w.svc.PresenceOf(ctx, "ann", "ann"); err != nil || !p.LastSeen.IsZero() {
		t.Errorf("never seen: %+v, %v", p, err)
	}
}

func TestPresencesOfMany(t *testing.T) {
	w := newWorld(t)
	w.chat("ann", "bob", "cem")
	w.chat("ann", "dee")
	w.chat("eve", "bob")
	for _, u := range []models.UserID{"bob", "cem", "eve"} {
		w.connect(u, models.SocketID(u))
	}
	at := w.now()
	w.disconnect("cem", "cem")
	w.advance(time.Hour)
	w.saved["dee"] = models.Absence{Since: at.Add(-time.Hour)}
	w.looks, w.seenLooks, w.chatLooks = nil, nil, 0
	got, err := w.svc.PresencesOf(context.Background(), "ann", []models.UserID{"dee", "bob", "eve", "nobody", "cem", "bob", "ann"})
	want := []models.Presence{
		{UserID: "dee", LastSeen: at.Add(-time.Hour)}, {UserID: "bob", Sockets: 1}, {UserID: "cem", LastSeen: at}, {UserID: "ann"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	if len(w.looks) != 1 || w.chatLooks != 1 || !reflect.DeepEqual(w.seenLooks, [][]models.UserID{{"dee", "ann"}}) {
		t.Errorf("asked presence %v, chats %d times, the database %v", w.looks, w.chatLooks, w.seenLooks)
	}
	if got, err := w.svc.PresencesOf(context.Background(), "ann", nil); err != nil || len(got) != 0 {
		t.Errorf("of nobody: %v, %v", got, err)
	}
	for _, op := range []string{"chatsOf", "presences", "lastSeen"} {
		w.failing(op, errAway)
		if _, err := w.svc.PresencesOf(context.Background(), "ann", []models.UserID{"dee"}); models.CodeOf(err) != models.CodeUnavailable {
			t.Errorf("%s away: %v", op, err)
		}
		w.failing(op, nil)
	}
}
