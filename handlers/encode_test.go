package handlers

import (
	"encoding/json"
	"testing"
	"time"

	"parley/models"
)

func TestEncodeEvent(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("", 2*3600))
	text := models.Message{ID: "1", ChatID: "2", SenderID: "3", Type: models.Text, Text: "héllo <b>", CreatedAt: at, UpdatedAt: at}
	file := models.Message{ID: "1", ChatID: "2", SenderID: "3", Type: models.Image, FileURL: "/files/x.png", CreatedAt: at.Add(70 * time.Millisecond)}
	chat := models.Chat{ID: "2", Participants: []models.UserID{"3", "4"}, CreatedAt: at, UpdatedAt: at}
	tests := []struct {
		event models.Event
		name  string
		want  string
	}{
		{models.NewMessage{Message: text}, "new_message", `{"_id":"1","chatId":"2","content":"héllo <b>","createdAt":"2026-03-04T03:06:07.000Z","senderId":"3"}`},
		{models.NewMessage{Message: file}, "new_message", `{"_id":"1","chatId":"2","createdAt":"2026-03-04T03:06:07.070Z","fileUrl":"/files/x.png","senderId":"3","type":"image"}`},
		{models.UserOnline{UserID: "3"}, "user_online", `{"userId":"3"}`},
		{models.UserOffline{UserID: "3", LastSeen: at}, "user_offline", `{"lastSeen":"2026-03-04T03:06:07.000Z","userId":"3"}`},
		{models.MessageDelivered{MessageID: "1", ChatID: "2", UserID: "3", At: at}, "message_delivered", `{"at":"2026-03-04T03:06:07.000Z","chatId":"2","messageId":"1","userId":"3"}`},
		{models.MessageRead{MessageID: "1", ChatID: "2", UserID: "3", At: at}, "message_read", `{"at":"2026-03-04T03:06:07.000Z","chatId":"2","messageId":"1","userId":"3"}`},
		{models.Typing{ChatID: "2", UserID: "3", IsTyping: true}, "typing", `{"chatId":"2","isTyping":true,"userId":"3"}`},
		{models.ChatJoined{Chat: chat}, "chat_joined", `{"chat":{"_id":"2","createdAt":"2026-03-04T03:06:07.000Z","participants":["3","4"],"updatedAt":"2026-03-04T03:06:07.000Z"}}`},
		{models.ChatLeft{ChatID: "2"}, "chat_left", `{"chatId":"2"}`},
	}
	for _, tt := range tests {
		name, payload := EncodeEvent(tt.event)
		got, err := json.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		var want any
		if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
			t.Fatal(err)
		}
		canonical, _ := json.Marshal(want)
		if name != tt.name || string(got) != string(canonical) {
			t.Errorf("%T: %s %s\nwant %s %s", tt.event, name, got, tt.name, canonical)
		}
	}
}

func TestMessageIDOf(t *testing.T) {
	_, ours := EncodeEvent(models.NewMessage{Message: models.Message{ID: "m"}})
	tests := []struct {
		name  string
		event string
		args  []any
		want  models.MessageID
		ok    bool
	}{
		{"ours", "new_message", []any{ours}, "m", true},
		{"with a recovery offset", "new_message", []any{ours, "offset"}, "m", true},
		{"another event", "typing", []any{ours}, "", false},
		{"no argument", "new_message", nil, "", false},
		{"odd argument", "new_message", []any{"m"}, "", false},
		{"odd id", "new_message", []any{map[string]any{"_id": 7.0}}, "", false},
	}
	for _, tt := range tests {
		if got, ok := MessageIDOf(tt.event, tt.args); got != tt.want && tt.ok || ok != tt.ok {
			t.Errorf("%s: %q, %v", tt.name, got, ok)
		}
	}
}

func TestMessageJSONIsTheStoredDocument(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8e6, time.UTC)
	got := messageJSON(models.Message{ID: "1", ChatID: "2", SenderID: "3", Type: models.Text, Text: "t", CreatedAt: at, UpdatedAt: at})
	want := map[string]any{
		"_id": "1", "chatId": "2", "senderId": "3", "type": "text", "textMessage": "t",
		"createdAt": "2026-03-04T05:06:07.008Z", "updatedAt": "2026-03-04T05:06:07.008Z",
	}
	if len(got) != len(want) {
		t.Errorf("keys of %v", got)
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s: %v, want %v", k, got[k], v)
		}
	}
}
