package rooms

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/models"
)

func TestSendRefusesAndLeavesNothing(t *testing.T) {
	discarded := 0
	file := func(name string) models.Upload {
		return models.Upload{Name: name, Type: models.Image, Discard: func() { discarded++ }}
	}
	tests := []struct {
		name  string
		draft models.Draft
		fail  string
		want  models.Code
	}{
		{name: "nothing to send", draft: models.Draft{}, want: models.CodeEmptyMessage},
		{name: "text too long", draft: models.Draft{Text: strings.Repeat("x", 101)}, want: models.CodeTextTooLong},
		{name: "text not UTF-8", draft: models.Draft{Text: "a\xff"}, want: models.CodeInvalidBody},
		{name: "too many files", draft: models.Draft{Files: []models.Upload{file("1"), file("2"), file("3"), file("4")}}, want: models.CodeTooManyFiles},
		{name: "stranger", draft: models.Draft{SenderID: "eve", Text: "hi"}, want: models.CodeNotAParticipant},
		{name: "unknown chat", draft: models.Draft{ChatID: "cccccccccccccccccccccccc", Text: "hi"}, want: models.CodeChatNotFound},
		{name: "database away", draft: models.Draft{Text: "hi", Files: []models.Upload{file("1")}}, fail: "insert", want: models.CodeUnavailable},
		{name: "second file not kept", draft: models.Draft{Files: []models.Upload{file("1"), file("2")}}, fail: "keep 2", want: models.CodeUnavailable},
		{name: "key not claimed", draft: models.Draft{Text: "hi", IdempotencyKey: "k", Files: []models.Upload{file("1")}}, fail: "claim", want: models.CodeUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			chat := w.chat("ann", "bob")
			if tt.draft.ChatID == "" {
				tt.draft.ChatID = chat
			}
			if tt.draft.SenderID == "" {
				tt.draft.SenderID = "ann"
			}
			if tt.fail != "" {
				w.failing(tt.fail, errAway)
			}
			discarded = 0
			_, err := w.svc.Send(context.Background(), tt.draft)
			if got := models.CodeOf(err); got != tt.want {
				t.Fatalf("code %q, want %q (%v)", got, tt.want, err)
			}
			if len(w.messages) != 0 || len(w.emitted) != 0 {
				t.Errorf("stored %d, emitted %d; want nothing", len(w.messages), len(w.emitted))
			}
			if !reflect.DeepEqual(w.kept, w.removed) {
				t.Errorf("kept %v but removed %v: orphans", w.kept, w.removed)
			}
			if discarded != len(tt.draft.Files) {
				t.Errorf("discarded %d of %d uploads", discarded, len(tt.draft.Files))
			}
		})
	}
}

func TestSendStoresFilesThenTextThenPublishesInOrder(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	none := func() {}
	messages, err := w.svc.Send(context.Background(), models.Draft{
		ChatID: chat, SenderID: "ann", Text: "caption",
		Files: []models.Upload{{Name: "a.png", Type: models.Image, Discard: none}, {Name: "b.mp4", Type: models.Video, Discard: none}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var shape []string
	for _, m := range messages {
		shape = append(shape, fmt.Sprintf("%s %s%s", m.Type, m.FileURL, m.Text))
	}
	if want := []string{"image /files/a.png", "video /files/b.mp4", "text caption"}; !reflect.DeepEqual(shape, want) {
		t.Errorf("messages %q, want %q", shape, want)
	}
	if !reflect.DeepEqual(w.messages, messages) {
		t.Errorf("stored %v, returned %v", w.messages, messages)
	}
	if len(w.emitted) != len(messages) {
		t.Fatalf("emitted %d events, want %d", len(w.emitted), len(messages))
	}
	for i, e := range w.emitted {
		if want := (emission{models.Audience{Chats: []models.ChatID{chat}}, models.NewMessage{Message: messages[i]}}); !reflect.DeepEqual(e, want) {
			t.Errorf("event %d: %+v, want %+v", i, e, want)
		}
	}
	if w.handed != len(messages) {
		t.Errorf("answered when %d of %d were handed to the other pods", w.handed, len(messages))
	}
	if got := messages[0].CreatedAt; got != got.Truncate(time.Millisecond) {
		t.Errorf("createdAt %v is finer than MongoDB keeps", got)
	}
}

// Node asks `if (textMessage)`: what it takes, it stores as it stands.
func TestSendTakesBlanksForAText(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	for _, text := range []string{" ", "\n", " \t\r\n ", "\u3000", "  both sides "} {
		messages, err := w.svc.Send(context.Background(), models.Draft{ChatID: chat, SenderID: "ann", Text: text})
		if err != nil || len(messages) != 1 || messages[0].Text != text || messages[0].Type != models.Text {
			t.Errorf("%q: %+v, %v", text, messages, err)
		}
	}
}

func TestSendKeepsEachSendersOrder(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	var group sync.WaitGroup
	for _, sender := range []models.UserID{"ann", "bob"} {
		for range 50 {
			group.Go(func() { w.send(sender, chat, "x") })
		}
	}
	group.Wait()
	position := map[models.MessageID]int{}
	for i, m := range w.messages {
		position[m.ID] = i
	}
	last := map[models.UserID]int{"ann": -1, "bob": -1}
	for _, e := range w.events() {
		m := e.(models.NewMessage).Message
		if position[m.ID] < last[m.SenderID] {
			t.Fatal("published in another order than stored")
		}
		last[m.SenderID] = position[m.ID]
	}
	if len(w.svc.order.lines) != 0 {
		t.Errorf("%d lines left behind", len(w.svc.order.lines))
	}
}

func TestIdempotencyKeyStoresOnceAndAnswersTheSame(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	draft := models.Draft{ChatID: chat, SenderID: "ann", Text: "once", IdempotencyKey: "k"}
	results := make([][]models.Message, 10)
	var group sync.WaitGroup
	for i := range results {
		group.Go(func() {
			var err error
			if results[i], err = w.svc.Send(context.Background(), draft); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, r := range results {
		if !reflect.DeepEqual(r, results[0]) {
			t.Errorf("answers differ: %v and %v", r, results[0])
		}
	}
	if len(w.messages) != 1 || len(w.emitted) != 1 {
		t.Errorf("stored %d, emitted %d; want one each", len(w.messages), len(w.emitted))
	}
	draft.SenderID = "bob"
	if _, err := w.svc.Send(context.Background(), draft); err != nil || len(w.messages) != 2 {
		t.Errorf("another sender's same key: %v, %d stored", err, len(w.messages))
	}
}

func TestIdempotencyKeyIsGivenBackAfterARefusal(t *testing.T) {
	w := newWorld(t)
	draft := models.Draft{ChatID: w.chat("ann", "bob"), SenderID: "ann", Text: "hi", IdempotencyKey: "k"}
	w.failing("insert", errAway)
	if _, err := w.svc.Send(context.Background(), draft); err == nil {
		t.Fatal("stored with the database away")
	}
	w.failing("insert", nil)
	if messages, err := w.svc.Send(context.Background(), draft); err != nil || len(messages) != 1 {
		t.Fatalf("retry: %v, %v", messages, err)
	}
}

func TestAbandonedClaimIsFinishedByTheNextTry(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob")
	// A pod that died after storing the first of two.
	first := models.Message{ID: w.NewMessageID(), ChatID: chat, SenderID: "ann", Type: models.Image, FileURL: "/files/a", CreatedAt: w.svc.now()}
	second := models.Message{ID: w.NewMessageID(), ChatID: chat, SenderID: "ann", Type: models.Text, Text: "hi", CreatedAt: w.svc.now()}
	key := requestKey("ann", "k")
	w.requests[key] = models.Request{Key: key, Messages: []models.Message{first, second}, ClaimedAt: w.svc.now()}
	w.messages = []models.Message{first}
	w.advance(31 * time.Second)
	got, err := w.svc.Send(context.Background(), models.Draft{ChatID: chat, SenderID: "ann", Text: "hi", IdempotencyKey: "k"})
	if err != nil || !reflect.DeepEqual(got, []models.Message{first, second}) {
		t.Fatalf("got %v, %v", got, err)
	}
	if len(w.messages) != 2 || len(w.emitted) != 2 {
		t.Errorf("stored %d, emitted %d; want two each", len(w.messages), len(w.emitted))
	}
}

func TestReceiptsGoToTheSenderForThoseOnline(t *testing.T) {
	w := newWorld(t)
	chat := w.chat("ann", "bob", "cem")
	w.sockets["bob"], w.sockets["ann"] = []models.SocketID{"b"}, []models.SocketID{"a"}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.svc.Run(ctx) }()
	m := w.send("ann", chat, "hi")
	deadline := time.Now().Add(5 * time.Second)
	for len(w.events()) < 2 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-done
	want := emission{models.Audience{Users: []models.UserID{"ann"}}, models.MessageDelivered{MessageID: m.ID, ChatID: chat, UserIDs: []models.UserID{"bob"}, At: w.svc.now()}}
	if len(w.emitted) != 2 || !reflect.DeepEqual(w.emitted[1], want) {
		t.Errorf("emitted %+v, want the receipt %+v alone after the message", w.emitted, want)
	}
}
