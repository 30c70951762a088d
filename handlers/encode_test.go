package handlers

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

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
		{models.NewMessage{Message: text}, "new_message", `{"_id":"1","chatId":"2","senderId":"3","content":"héllo <b>","createdAt":"2026-03-04T03:06:07.000Z"}`},
		{models.NewMessage{Message: file}, "new_message", `{"_id":"1","chatId":"2","senderId":"3","type":"image","fileUrl":"/files/x.png","createdAt":"2026-03-04T03:06:07.070Z"}`},
		{models.UserOnline{UserID: "3"}, "user_online", `{"userId":"3"}`},
		{models.UserOffline{UserID: "3", LastSeen: at}, "user_offline", `{"userId":"3","lastSeen":"2026-03-04T03:06:07.000Z"}`},
		{models.MessageDelivered{MessageID: "1", ChatID: "2", UserIDs: []models.UserID{"3"}, At: at}, "message_delivered", `{"messageId":"1","chatId":"2","userId":"3","userIds":["3"],"at":"2026-03-04T03:06:07.000Z"}`},
		{models.MessageDelivered{MessageID: "1", ChatID: "2", UserIDs: []models.UserID{"3", "4"}, At: at}, "message_delivered", `{"messageId":"1","chatId":"2","userIds":["3","4"],"at":"2026-03-04T03:06:07.000Z"}`},
		{models.MessageRead{MessageID: "1", ChatID: "2", UserID: "3", At: at}, "message_read", `{"chatId":"2","userId":"3","messageId":"1","at":"2026-03-04T03:06:07.000Z"}`},
		{models.Typing{ChatID: "2", UserID: "3", IsTyping: true}, "typing", `{"chatId":"2","userId":"3","isTyping":true}`},
		{models.ChatJoined{Chat: chat}, "chat_joined", `{"chat":{"_id":"2","participants":["3","4"],"createdAt":"2026-03-04T03:06:07.000Z","updatedAt":"2026-03-04T03:06:07.000Z"}}`},
		{models.ChatLeft{ChatID: "2"}, "chat_left", `{"chatId":"2"}`},
	}
	for _, tt := range tests {
		name, payload := EncodeEvent(tt.event)
		var got bytes.Buffer
		encoder := json.NewEncoder(&got)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(payload); err != nil {
			t.Fatal(err)
		}
		if name != tt.name || got.String() != tt.want+"\n" {
			t.Errorf("%T: %s %s\nwant %s %s", tt.event, name, got.String(), tt.name, tt.want)
		}
	}
}

// object stands for those of package js.
type object map[string]any

func (o object) Get(key string) (any, bool) { v, ok := o[key]; return v, ok }

func TestMessageIDs(t *testing.T) {
	const id = "665f00000000000000000abc"
	ours := object{"_id": id, "chatId": "c"}
	var odd int
	messageID := MessageIDs(func() { odd++ })
	tests := []struct {
		name  string
		event string
		args  []any
		want  models.MessageID
		ok    bool
		odd   int
	}{
		{"ours", "new_message", []any{ours}, id, true, 0},
		{"with an offset", "new_message", []any{ours, "offset"}, id, true, 0},
		{"a map", "new_message", []any{map[string]any(ours)}, id, true, 0},
		{"in upper case", "new_message", []any{map[string]any{"_id": strings.ToUpper(id)}}, id, true, 0},
		{"another event", "typing", []any{ours}, "", false, 0},
		{"no argument", "new_message", nil, "", false, 1},
		{"odd argument", "new_message", []any{id}, "", false, 1},
		{"a number", "new_message", []any{map[string]any{"_id": 7.0}}, "", false, 1},
		{"a word", "new_message", []any{map[string]any{"_id": "notice-1"}}, "", false, 1},
		{"a UUID", "new_message", []any{map[string]any{"_id": "7d444840-9dc0-11d1-b245-5ffdce74fad2"}}, "", false, 1},
		{"24 of something else", "new_message", []any{map[string]any{"_id": "66500000000000000000abcg"}}, "", false, 1},
	}
	for _, tt := range tests {
		odd = 0
		if got, ok := messageID(tt.event, tt.args); got != tt.want || ok != tt.ok || odd != tt.odd {
			t.Errorf("%s: %q, %v, %d odd", tt.name, got, ok, odd)
		}
	}
}

func TestTimestampsOfAnyTime(t *testing.T) {
	for ms, want := range map[int64]string{
		0:               "1970-01-01T00:00:00.000Z",
		253402300800000: "+010000-01-01T00:00:00.000Z",
		8.64e15:         "+275760-09-13T00:00:00.000Z",
		math.MaxInt64:   "+275760-09-13T00:00:00.000Z",
		math.MinInt64:   "-271821-04-20T00:00:00.000Z",
		-62198755200000: "-000001-01-01T00:00:00.000Z",
		-62167219200000: "0000-01-01T00:00:00.000Z",
		1772600767008:   "2026-03-04T05:06:07.008Z",
	} {
		if got := timestamp(time.UnixMilli(ms)); got != want {
			t.Errorf("%d: %s, want %s", ms, got, want)
		}
	}
}

func TestMessageJSONIsTheStoredDocument(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8e6, time.UTC)
	got, err := json.Marshal(messageOf(models.Message{ID: "1", ChatID: "2", SenderID: "3", Type: models.Text, Text: "t", CreatedAt: at, UpdatedAt: at}))
	want := `{"_id":"1","chatId":"2","senderId":"3","type":"text","textMessage":"t",` +
		`"createdAt":"2026-03-04T05:06:07.008Z","updatedAt":"2026-03-04T05:06:07.008Z"}`
	if err != nil || string(got) != want {
		t.Errorf("got %s (%v)\nwant %s", got, err, want)
	}
}

// What REST answers is spelled as the events are, and as Express does it: nothing
// is escaped for HTML's or for old JavaScript's sake, and nothing stands behind it.
func TestAnswersAreSpelledAsNodeSpellsThem(t *testing.T) {
	h := testHandlers(&spool{})
	rec := httptest.NewRecorder()
	c, _ := gin.CreateTestContext(rec)
	at := time.Date(2026, 3, 4, 5, 6, 7, 8e6, time.UTC)
	h.answer(c, http.StatusCreated, postedJSON{messagesOf([]models.Message{{ID: "1", ChatID: "2", SenderID: "3", Type: models.Text, Text: "a\u2028<&>\u007f\b\"", CreatedAt: at, UpdatedAt: at}})})
	want := `{"messages":[{"_id":"1","chatId":"2","senderId":"3","type":"text","textMessage":"a` + "\u2028<&>\u007f" + `\b\"",` +
		`"createdAt":"2026-03-04T05:06:07.008Z","updatedAt":"2026-03-04T05:06:07.008Z"}]}`
	if rec.Code != http.StatusCreated || rec.Body.String() != want || rec.Header().Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("%d %v %s\nwant %s", rec.Code, rec.Header(), rec.Body, want)
	}
}

func TestMadeAt(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	_, ours := EncodeEvent(models.NewMessage{Message: models.Message{CreatedAt: at}})
	var object map[string]any
	if text, err := json.Marshal(ours); err != nil || json.Unmarshal(text, &object) != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]any{"ours": {object}, "a Date": {map[string]any{"createdAt": at}}, "a text": {map[string]any{"createdAt": "2026-01-02T03:04:05.678Z"}}} {
		if got := MadeAt(args); !got.Equal(at) {
			t.Errorf("%s: %v", name, got)
		}
	}
	for name, args := range map[string][]any{"nothing": nil, "no object": {"x"}, "no time": {map[string]any{}}, "a number": {map[string]any{"createdAt": 1.0}}, "another text": {map[string]any{"createdAt": "soon"}}} {
		if got := MadeAt(args); !got.IsZero() {
			t.Errorf("%s: %v", name, got)
		}
	}
}
