package rooms

import (
	"context"
	"reflect"
	"testing"

	"parley/models"
)

func TestCreateChatSeatsEverySocket(t *testing.T) {
	w := newWorld(t)
	w.sockets["bob"] = []models.SocketID{"b1", "node-socket"}
	chat, err := w.svc.CreateChat(context.Background(), "ann", []models.UserID{"bob", "bob", "ann"}, "lunch")
	if err != nil {
		t.Fatal(err)
	}
	if want := []models.UserID{"ann", "bob"}; !reflect.DeepEqual(chat.Participants, want) {
		t.Errorf("participants %v, want %v", chat.Participants, want)
	}
	who := models.Audience{Users: []models.UserID{"ann", "bob"}, Sockets: []models.SocketID{"b1", "node-socket"}}
	if !reflect.DeepEqual(w.joined, []models.Audience{who}) {
		t.Errorf("joined %+v, want %+v", w.joined, who)
	}
	if want := []emission{{who, models.ChatJoined{Chat: chat}}}; !reflect.DeepEqual(w.emitted, want) {
		t.Errorf("emitted %+v, want %+v", w.emitted, want)
	}
}

func TestMembershipRefusals(t *testing.T) {
	w := newWorld(t)
	full := w.chat("ann", "bob", "cem", "dee")
	ctx := context.Background()
	tests := []struct {
		name string
		call func() error
		want models.Code
	}{
		{"stranger adds", func() error { _, err := w.svc.AddParticipant(ctx, "eve", full, "eve"); return err }, models.CodeNotAParticipant},
		{"stranger removes", func() error { _, err := w.svc.RemoveParticipant(ctx, "eve", full, "bob"); return err }, models.CodeNotAParticipant},
		{"chat full", func() error { _, err := w.svc.AddParticipant(ctx, "ann", full, "eve"); return err }, models.CodeInvalidBody},
		{"unknown chat", func() error { _, err := w.svc.AddParticipant(ctx, "ann", "none", "eve"); return err }, models.CodeChatNotFound},
		{"too many at once", func() error {
			_, err := w.svc.CreateChat(ctx, "ann", []models.UserID{"1", "2", "3", "4"}, "")
			return err
		}, models.CodeInvalidBody},
		{"name too long", func() error {
			_, err := w.svc.CreateChat(ctx, "ann", []models.UserID{"1"}, "a name of more than twenty bytes")
			return err
		}, models.CodeInvalidBody},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := models.CodeOf(tt.call()); got != tt.want {
				t.Errorf("code %q, want %q", got, tt.want)
			}
		})
	}
	if len(w.emitted)+len(w.joined)+len(w.leftRoom) != 0 {
		t.Error("a refusal had effects")
	}
}

func TestRemovalHoldsOnlyWhenEveryPodHasLeft(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	ctx := context.Background()
	w.failing("leave", errAway)
	if _, err := w.svc.RemoveParticipant(ctx, "ann", chat, "bob"); models.CodeOf(err) != models.CodeUnavailable {
		t.Fatalf("with a pod out of reach: %v", err)
	}
	w.failing("leave", nil)
	got, err := w.svc.RemoveParticipant(ctx, "ann", chat, "bob")
	if err != nil || got.Has("bob") {
		t.Fatalf("the retry: %+v, %v", got, err)
	}
	if len(w.leftRoom) != 2 {
		t.Errorf("left %d times, want both tries to reach the sockets", len(w.leftRoom))
	}
	if _, err := w.svc.RemoveParticipant(ctx, "bob", chat, "bob"); err != nil {
		t.Errorf("leaving twice: %v", err)
	}
}

func TestSignals(t *testing.T) {
	w := newWorld(t)
	chat, other := w.chat("ann", "bob"), w.chat("ann", "cem")
	m := w.send("ann", chat, "hi")
	w.emitted = nil
	ctx := context.Background()
	if err := w.svc.Typing("eve", "outsider", chat, true); models.CodeOf(err) != models.CodeNotAParticipant {
		t.Errorf("outsider types: %v", err)
	}
	if err := w.svc.MarkRead(ctx, "eve", "e1", chat, m.ID); models.CodeOf(err) != models.CodeNotAParticipant {
		t.Errorf("outsider reads: %v", err)
	}
	if err := w.svc.MarkRead(ctx, "ann", "a1", other, m.ID); models.CodeOf(err) != models.CodeMessageNotFound {
		t.Errorf("message of another chat: %v", err)
	}
	if len(w.emitted) != 0 {
		t.Fatalf("refusals were told: %+v", w.emitted)
	}
	if err := w.svc.Typing("bob", "b1", chat, true); err != nil {
		t.Error(err)
	}
	if err := w.svc.MarkRead(ctx, "bob", "b1", chat, m.ID); err != nil {
		t.Error(err)
	}
	room := []models.ChatID{chat}
	want := []emission{
		{models.Audience{Chats: room, ExceptUsers: []models.UserID{"bob"}}, models.Typing{ChatID: chat, UserID: "bob", IsTyping: true}},
		{models.Audience{Chats: room, ExceptSockets: []models.SocketID{"b1"}}, models.MessageRead{ChatID: chat, UserID: "bob", MessageID: m.ID, At: w.svc.now()}},
	}
	if !reflect.DeepEqual(w.emitted, want) {
		t.Errorf("emitted %+v\nwant %+v", w.emitted, want)
	}
}

func TestHistoryPages(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	var ids []models.MessageID
	for range 5 {
		ids = append(ids, w.send("ann", chat, "x").ID)
	}
	ctx := context.Background()
	collect := func(messages []models.Message) (out []models.MessageID) {
		for _, m := range messages {
			out = append(out, m.ID)
		}
		return out
	}
	tests := []struct {
		name string
		page models.Page
		want []models.MessageID
		next models.MessageID
	}{
		{"newest", models.Page{Limit: 2}, []models.MessageID{ids[4], ids[3]}, ids[3]},
		{"before", models.Page{Before: ids[3], Limit: 2}, []models.MessageID{ids[2], ids[1]}, ids[1]},
		{"last page", models.Page{Before: ids[1], Limit: 2}, []models.MessageID{ids[0]}, ""},
		{"exactly the rest", models.Page{Before: ids[2], Limit: 2}, []models.MessageID{ids[1], ids[0]}, ""},
		{"after", models.Page{After: ids[0], Limit: 2}, []models.MessageID{ids[2], ids[1]}, ids[2]},
		{"after the last but one", models.Page{After: ids[3], Limit: 2}, []models.MessageID{ids[4]}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			messages, next, err := w.svc.History(ctx, "bob", chat, tt.page)
			if err != nil || !reflect.DeepEqual(collect(messages), tt.want) || next != tt.next {
				t.Errorf("got %v next %q (%v), want %v next %q", collect(messages), next, err, tt.want, tt.next)
			}
		})
	}
	if _, _, err := w.svc.History(ctx, "bob", chat, models.Page{Before: "ffffffffffffffffffffffff", Limit: 2}); models.CodeOf(err) != models.CodeInvalidCursor {
		t.Errorf("unknown cursor: %v", err)
	}
	if _, _, err := w.svc.History(ctx, "eve", chat, models.Page{Limit: 2}); models.CodeOf(err) != models.CodeNotAParticipant {
		t.Errorf("stranger: %v", err)
	}
}

// Other pods that could not be told of a removal are told, once they can be, what is
// so by then: who was added again meanwhile, by way of another pod, is in the chat.
func TestWhatOtherPodsWereNotToldOfIsSettled(t *testing.T) {
	for name, again := range map[string]bool{"out": false, "added again elsewhere": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			chat := w.chat("ann", "bob")
			ctx := context.Background()
			w.failing("leave", errAway)
			if _, err := w.svc.RemoveParticipant(ctx, "ann", chat, "bob"); models.CodeOf(err) != models.CodeUnavailable {
				t.Fatalf("with a pod out of reach: %v", err)
			}
			w.svc.settle(ctx)
			w.failing("leave", nil)
			if again {
				if _, _, err := w.AddParticipant(ctx, chat, "bob", w.now()); err != nil {
					t.Fatal(err)
				}
			}
			w.joined, w.leftRoom = nil, nil
			for range 2 { // the second time nothing is left to do
				w.svc.settle(ctx)
			}
			if in, out := len(w.joined), len(w.leftRoom); again && (in != 1 || out != 0) || !again && (in != 0 || out != 1) {
				t.Errorf("joined %d times and left %d times", in, out)
			}
		})
	}
}
