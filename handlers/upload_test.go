package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"parley/adapters/js"
	"parley/models"
	"parley/rooms"
)

// spool keeps nothing and counts what it is still holding.
type spool struct {
	held    int
	refuses string // the name of a file it does not take
	either  bool   // it cannot tell audio from video
	names   []string
}

func (s *spool) Receive(_ context.Context, r io.Reader, name, _ string, limit int64) (models.Upload, error) {
	n, err := io.Copy(io.Discard, io.LimitReader(r, limit+1))
	if err != nil {
		return models.Upload{}, err
	}
	if n > limit {
		return models.Upload{}, models.Refuse(models.CodeFileTooLarge, "too large")
	}
	if s.refuses != "" && name == s.refuses {
		return models.Upload{}, models.Refuse(models.CodeUnsupportedMedia, "not media")
	}
	s.held++
	s.names = append(s.names, name)
	upload := models.Upload{Name: name, Type: models.Image, MIME: "image/png", Discard: func() { s.held-- }}
	if s.either {
		upload.Type, upload.MIME, upload.Either = models.Video, "video/webm", true
	}
	return upload, nil
}

const testChat = "0123456789abcdef01234567"

// oneChat is a world with a single chat, of ann and bob.
type oneChat struct{ rooms.Chats }

func (oneChat) Chat(_ context.Context, id models.ChatID) (models.Chat, bool, error) {
	return models.Chat{ID: id, Participants: []models.UserID{"ann", "bob"}}, id == testChat, nil
}

func testHandlers(s *spool) *Handlers {
	gin.SetMode(gin.TestMode)
	return New(Options{
		Rooms: rooms.New(rooms.Options{Chats: oneChat{}, Now: time.Now, Limits: rooms.Limits{TextBytes: 100, Files: 2}}),
		Spool: s,
		User: func(c *gin.Context) models.Identity {
			return models.Identity{UserID: models.UserID(c.GetHeader("X-User"))}
		},
		Logger: slog.New(slog.DiscardHandler),
		JSON:   js.AppendJSON,
		Limits: Limits{TextBytes: 10, FileBytes: 5, Files: 2, Uploads: 1, RequestTimeout: time.Second, UploadTimeout: time.Second},
	})
}

// part is one field of a form; with a file name it is a file.
type part struct{ name, file, value string }

func body(t *testing.T, parts ...part) (io.Reader, string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		header := textproto.MIMEHeader{}
		disposition := `form-data; name="` + p.name + `"`
		if p.file != "" {
			disposition += `; filename="` + p.file + `"`
		}
		header.Set("Content-Disposition", disposition)
		out, err := w.CreatePart(header)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = out.Write([]byte(p.value))
	}
	_ = w.Close()
	return &b, w.FormDataContentType()
}

// strangers is what becomes of a draft that was read and is a stranger's: who may
// post is for rooms to say, of a text once, when it is sent.
func (h *Handlers) strangers(d models.Draft, err error) error {
	if err == nil && (d.ChatID != testChat || d.SenderID != "ann") {
		_, err = h.Rooms.Send(context.Background(), d)
	}
	return err
}

func TestReadDraft(t *testing.T) {
	chat := part{name: "chatId", value: testChat}
	file := func(name string) part { return part{name: "files", file: name, value: "12345"} }
	tests := []struct {
		name  string
		user  string
		parts []part
		want  models.Code
		early bool // refused before its next file is received
	}{
		{name: "text", parts: []part{chat, {name: "textMessage", value: "hi"}, {name: "type", value: "text"}}},
		{name: "any order", parts: []part{file("a"), {name: "type", value: "image"}, {name: "textMessage", value: "hi"}, chat}},
		{name: "upper-case chat", parts: []part{{name: "chatId", value: strings.ToUpper(testChat)}}},
		{name: "unknown field", parts: []part{chat, {name: "tempId", value: "42"}}},
		{name: "no chat", parts: []part{file("a")}, want: models.CodeInvalidChatID},
		{name: "bad chat", parts: []part{{name: "chatId", value: "42"}}, want: models.CodeInvalidChatID},
		{name: "unknown chat", parts: []part{{name: "chatId", value: strings.Repeat("0", 24)}, {name: "textMessage", value: "hi"}}, want: models.CodeChatNotFound},
		{name: "stranger", user: "eve", parts: []part{chat, file("a")}, want: models.CodeNotAParticipant, early: true},
		{name: "stranger, chat between files", user: "eve", parts: []part{file("a"), chat, file("evil")}, want: models.CodeNotAParticipant, early: true},
		{name: "stranger, files first", user: "eve", parts: []part{file("a"), chat}, want: models.CodeNotAParticipant},
		{name: "text too long", parts: []part{file("a"), {name: "textMessage", value: "12345678901"}}, want: models.CodeTextTooLong},
		{name: "twice", parts: []part{chat, chat}, want: models.CodeInvalidBody},
		{name: "too many files", parts: []part{chat, file("a"), file("b"), file("c")}, want: models.CodeTooManyFiles},
		{name: "last file too large", parts: []part{chat, file("a"), {name: "files", file: "b", value: "123456"}}, want: models.CodeFileTooLarge},
		{name: "last file not media", parts: []part{chat, file("a"), file("evil")}, want: models.CodeUnsupportedMedia},
		{name: "files as text", parts: []part{chat, {name: "files", value: "x"}}, want: models.CodeInvalidBody},
		{name: "file in another field", parts: []part{chat, {name: "avatar", file: "a", value: "x"}}, want: models.CodeInvalidBody},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &spool{refuses: "evil"}
			h := testHandlers(s)
			c, _ := gin.CreateTestContext(httptest.NewRecorder())
			b, contentType := body(t, tt.parts...)
			c.Request = httptest.NewRequest(http.MethodPost, "/api/messages", b)
			c.Request.Header.Set("Content-Type", contentType)
			c.Request.Header.Set("X-User", "ann")
			if tt.user != "" {
				c.Request.Header.Set("X-User", tt.user)
			}
			d, err := h.readDraft(c)
			if early := err != nil; early != tt.early && tt.want == models.CodeNotAParticipant {
				t.Errorf("refused early: %v", early)
			}
			err = h.strangers(d, err)
			if got := models.CodeOf(err); got != tt.want {
				t.Fatalf("code %q, want %q (%v)", got, tt.want, err)
			}
			if err != nil && s.held != 0 {
				t.Errorf("%d uploads left behind", s.held)
			}
			if err == nil && (d.ChatID != testChat || d.SenderID != "ann") {
				t.Errorf("draft %+v", d)
			}
			for _, f := range d.Files {
				f.Discard()
			}
			if p := h.places; len(p.writing) != 0 || p.open != 0 || p.bytes != 0 || len(p.users) != 0 {
				t.Errorf("places were not given back: %+v", p)
			}
		})
	}
}

func TestUnreadableBodies(t *testing.T) {
	whole, contentType := body(t, part{name: "chatId", value: testChat}, part{name: "files", file: "a", value: "12345"})
	all, _ := io.ReadAll(whole)
	whole2 := append(bytes.TrimSuffix(bytes.Clone(all), []byte("--\r\n")), "\r\n"...)
	padded, hugeType := body(t, part{name: "chatId", value: testChat}, part{name: "padding", value: strings.Repeat("x", 600<<10)})
	huge, _ := io.ReadAll(padded)
	tests := []struct {
		name, contentType string
		body              []byte
		want              models.Code
	}{
		{"a type we do not read", "text/plain", []byte(`{}`), models.CodeUnsupportedMedia},
		{"no type", "", nil, models.CodeUnsupportedMedia},
		{"no boundary", "multipart/form-data", all, models.CodeInvalidBody},
		{"cut off", contentType, all[:len(all)-20], models.CodeInvalidBody},
		{"cut off in the file", contentType, all[:len(all)-len("\r\n--\r\n")-64], models.CodeInvalidBody},
		{"larger than allowed", hugeType, huge, models.CodeBodyTooLarge},
		{"not multipart at all", contentType, []byte("hello"), models.CodeInvalidBody},
		{"cut off in the last boundary", contentType, all[:len(all)-4], models.CodeInvalidBody},
		{"cut off behind a boundary", contentType, whole2[:len(whole2)-4], models.CodeInvalidBody},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &spool{}
			h := testHandlers(s)
			rec := httptest.NewRecorder()
			c, _ := gin.CreateTestContext(rec)
			c.Request = httptest.NewRequest(http.MethodPost, "/api/messages", bytes.NewReader(tt.body))
			c.Request.Header.Set("Content-Type", tt.contentType)
			c.Request.Header.Set("X-User", "ann")
			h.PostMessage(c)
			var answer struct {
				Error struct{ Code, Message string }
			}
			if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil {
				t.Fatal(err)
			}
			if answer.Error.Code != string(tt.want) || rec.Code != statuses[tt.want] || answer.Error.Message == "" {
				t.Errorf("%d %s, want %d %s", rec.Code, rec.Body, statuses[tt.want], tt.want)
			}
			if s.held != 0 {
				t.Errorf("%d uploads left behind", s.held)
			}
		})
	}
}

func TestFailHidesTheCause(t *testing.T) {
	h := testHandlers(&spool{})
	rec := httptest.NewRecorder()
	c, _ := gin.CreateTestContext(rec)
	c.Request = httptest.NewRequest(http.MethodGet, "/", nil)
	h.Fail(c, models.Unavailable("the database", context.DeadlineExceeded))
	if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") != "1" {
		t.Errorf("%d, Retry-After %q", rec.Code, rec.Header().Get("Retry-After"))
	}
	if strings.Contains(rec.Body.String(), "deadline") {
		t.Errorf("the cause leaks: %s", rec.Body)
	}
	for code, status := range statuses {
		if status < 400 {
			t.Errorf("%s is answered %d", code, status)
		}
	}
}
