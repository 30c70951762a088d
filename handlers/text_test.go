package handlers

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"parley/models"
)

const (
	asJSON = "application/json"
	asForm = "application/x-www-form-urlencoded"
)

func TestTextsWithoutMultipart(t *testing.T) {
	chat, id := `"chatId":"`+testChat+`"`, "chatId="+testChat
	tests := []struct{ contentType, body, want string }{
		{asJSON, `{` + chat + `,"textMessage":"hé 🙂","type":"text"}`, "hé 🙂"},
		{asJSON + "; charset=utf-8", `{"textMessage":"hé",` + chat + `}`, "hé"},
		{"Application/JSON;CHARSET=\"UTF-8\"", "\uFEFF" + `{` + chat + `,"textMessage":"hi"}`, "hi"},
		{asJSON + "; charset=iso-8859-1", `{` + chat + `,"textMessage":"h` + "\xe9" + `"}`, "hé"},
		{asJSON, `{` + chat + `,"textMessage":"  \n"}`, "  \n"},
		{asJSON, `{` + chat + `,"textMessage":"hi","type":["TEXT",7],"tempId":{"a":1}}`, "hi"},
		{asJSON, `{` + chat + `,"textMessage":"hi","files":[]}`, "hi"},
		{asJSON, `{` + chat + `,"textMessage":"hi","files":null,"files[]":"undefined"}`, "hi"},
		{asJSON, `{` + chat + `,"textMessage":42}`, "42"},
		{asJSON, `{` + chat + `,"textMessage":1e21}`, "1e+21"},
		{asJSON, `{` + chat + `,"textMessage":1.50}`, "1.5"},
		{asJSON, `{` + chat + `,"textMessage":true}`, "true"},
		{asJSON, `{` + chat + `,"textMessage":"0"}`, "0"},
		{asJSON, `{` + chat + `,"textMessage":0}`, ""}, // nothing to send, says rooms
		{asJSON, `{` + chat + `,"textMessage":null}`, ""},
		{asJSON, `{` + chat + `,"TextMessage":"not this"}`, ""},
		{asJSON, `{` + chat + `,"textMessage":"` + strings.Repeat(`\u0041`, 100) + `"}`, strings.Repeat("A", 100)},

		{asForm, id + "&textMessage=h%C3%A9+%F0%9F%99%82&type=text", "hé 🙂"},
		{asForm + "; charset=UTF-8", "textMessage=a%2Bb%26c&" + id, "a+b&c"},
		{asForm + "; charset=iso-8859-1", id + "&textMessage=h%E9", "hé"},
		{asForm, id + "&textMessage=100%;+or+less%2", "100%; or less%2"},
		{asForm, id + "&textMessage=a=b", "a=b"},
		{asForm, id + "&textMessage=+%0A", " \n"},
		{asForm, id + "&textMessage=hi&files=&files%5B%5D=undefined&type=&type=x&other=1&&", "hi"},
		{asForm, id + "&textMessage=" + strings.Repeat("%41", 100), strings.Repeat("A", 100)},
	}
	for _, tt := range tests {
		draft, err := post(t, &spool{}, tt.contentType, tt.body)
		if err != nil || draft.Text != tt.want || draft.ChatID != testChat || draft.SenderID != "ann" {
			t.Errorf("%s %s: %q in %q, %v; want %q", tt.contentType, tt.body, draft.Text, draft.ChatID, err, tt.want)
		}
	}
}

func TestTextsRefusedWithoutMultipart(t *testing.T) {
	chat, id := `"chatId":"`+testChat+`"`, "chatId="+testChat
	stranger := strings.Repeat("0", 24)
	tests := []struct {
		contentType, body string
		want              models.Code
	}{
		{asJSON, ``, models.CodeInvalidBody},
		{asJSON, `null`, models.CodeInvalidBody},
		{asJSON, `[]`, models.CodeInvalidBody},
		{asJSON, `"text"`, models.CodeInvalidBody},
		{asJSON, `{` + chat + `} {}`, models.CodeInvalidBody},
		{asJSON, `{` + chat + `,"textMessage":"` + "\xff" + `"}`, models.CodeInvalidBody},
		{asJSON, `{` + chat + `,"textMessage":["hi"]}`, models.CodeInvalidBody},
		{asJSON, `{` + chat + `,"textMessage":{"$gt":""}}`, models.CodeInvalidBody},
		{asJSON, `{` + chat + `,"textMessage":1e999}`, models.CodeInvalidBody},
		{asJSON, `{` + chat + `,"textMessage":"hi","files":[{}]}`, models.CodeInvalidBody},
		{asJSON, `{` + chat + `,"textMessage":"hi","files":{"0":{}}}`, models.CodeInvalidBody},
		{asJSON, `{"textMessage":"hi"}`, models.CodeInvalidChatID},
		{asJSON, `{"textMessage":"hi","chatId":{"$ne":null}}`, models.CodeInvalidChatID},
		{asJSON, `{"textMessage":"hi","chatId":null}`, models.CodeInvalidChatID},
		{asJSON, `{"textMessage":"hi","chatId":42}`, models.CodeInvalidChatID},
		{asJSON, `{"textMessage":"hi","chatId":"` + stranger + `"}`, models.CodeChatNotFound},
		{asJSON, `{` + chat + `,"textMessage":"` + strings.Repeat("x", 101) + `"}`, models.CodeTextTooLong},
		{asJSON, `{` + chat + `,"textMessage":"` + strings.Repeat("x", 600<<10) + `"}`, models.CodeBodyTooLarge},
		{asJSON + "; charset=utf-16", `{}`, models.CodeUnsupportedMedia},
		{asForm, ``, models.CodeInvalidChatID},
		{asForm, id + "&" + id, models.CodeInvalidBody},
		{asForm, id + "&textMessage=a&textMessage=b", models.CodeInvalidBody},
		{asForm, id + "&textMessage=a&files=photo.png", models.CodeInvalidBody},
		{asForm, "chatId=" + stranger + "&textMessage=a", models.CodeChatNotFound},
		{asForm, "chatId[$ne]=x&textMessage=a", models.CodeInvalidChatID},
		{asForm, id + "&textMessage=" + strings.Repeat("x", 101), models.CodeTextTooLong},
		{asForm, id + "&x=" + strings.Repeat("x", 600<<10), models.CodeBodyTooLarge},
		{asForm + "; charset=koi8-r", id, models.CodeUnsupportedMedia},
	}
	for _, tt := range tests {
		if _, err := post(t, &spool{}, tt.contentType, tt.body); models.CodeOf(err) != tt.want {
			t.Errorf("%s %.100s: %v; want %s", tt.contentType, tt.body, err, tt.want)
		}
	}
}

func TestTheCharsetOfAField(t *testing.T) {
	body := func(contentType, text string) string {
		return strings.Replace(withPart(`Content-Disposition: form-data; name="other"`, ""),
			"name=\"textMessage\"\r\n\r\ncaption", "name=\"textMessage\"\r\nContent-Type: "+contentType+"\r\n\r\n"+text, 1)
	}
	for contentType, text := range map[string]string{
		"text/plain": "é", "text/plain; charset=UTF-8": "é", "text/plain;charset=us-ascii": "é", "text/plain; charset=ISO-8859-1": "\xe9",
	} {
		if draft, err := post(t, &spool{}, "multipart/form-data; boundary=B", body(contentType, text)); err != nil || draft.Text != "é" {
			t.Errorf("%s: %q, %v", contentType, draft.Text, err)
		}
	}
	if _, err := post(t, &spool{}, "multipart/form-data; boundary=B", body("text/plain; charset=koi8-r", "x")); models.CodeOf(err) != models.CodeUnsupportedMedia {
		t.Errorf("%v", err)
	}
}

func TestContentEncodings(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	fmt.Fprintf(w, `{"chatId":%q,"textMessage":"hi"}`, testChat)
	w.Close()
	for encoding, want := range map[string]int{"gzip": 415, "br": 415, "x-gzip, identity": 415, "identity": 0, "Identity": 0} {
		for _, call := range []func(*Handlers, *gin.Context){(*Handlers).PostMessage, (*Handlers).CreateChat} {
			h := testHandlers(&spool{})
			rec := httptest.NewRecorder()
			c, _ := gin.CreateTestContext(rec)
			c.Request = httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
			if want != 0 {
				c.Request = httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(packed.Bytes()))
			}
			c.Request.Header.Set("Content-Type", asJSON)
			c.Request.Header.Set("Content-Encoding", encoding)
			call(h, c)
			told := strings.Contains(rec.Body.String(), "Content-Encoding")
			if want != 0 && (rec.Code != want || !told || rec.Header().Get("Accept-Encoding") != "identity") || want == 0 && (rec.Code != 400 || told) {
				t.Errorf("%s: %d %s", encoding, rec.Code, rec.Body)
			}
		}
	}
}

// The hints decide where nothing else does, whichever way they are sent.
func TestTypeIsAHint(t *testing.T) {
	chat, file := part{name: "chatId", value: testChat}, part{name: "files", file: "a", value: "12345"}
	kind := func(value string) part { return part{name: "type", value: value} }
	tests := []struct {
		parts []part
		want  string
	}{
		{[]part{chat, file}, "video"},
		{[]part{chat, kind("audio"), file}, "audio"},
		{[]part{file, chat, kind("AUDIO")}, "audio"},
		{[]part{file, chat, kind(" Audio/WebM;codecs=opus")}, "audio"},
		{[]part{kind("video"), file, chat}, "video"},
		{[]part{kind("TEXT"), file, chat}, "video"},
		{[]part{kind(""), kind("undefined"), kind("image/jpeg"), file, chat, kind("audio")}, "audio"},
		{[]part{kind("audio"), kind("audio"), file, chat}, "audio"},
		{[]part{kind("audio"), kind("video"), file, chat}, "video"}, // nothing said
		{[]part{kind("audio"), file, file, chat}, "audio audio"},
		{[]part{file, kind("video"), file, kind("audio"), chat}, "video audio"},
		{[]part{kind("image"), file, kind("audio"), file, chat}, "video audio"},
		{[]part{kind(strings.Repeat("x", 5000)), file, chat}, "video"},
	}
	for i, tt := range tests {
		h := testHandlers(&spool{either: true})
		c, _ := gin.CreateTestContext(httptest.NewRecorder())
		b, contentType := body(t, tt.parts...)
		c.Request = httptest.NewRequest(http.MethodPost, "/", b)
		c.Request.Header.Set("Content-Type", contentType)
		c.Request.Header.Set("X-User", "ann")
		d, err := h.readDraft(c)
		var got []string
		for _, f := range d.Files {
			got = append(got, string(f.Type))
		}
		if err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("%d: %q, %v; want %q", i, got, err, tt.want)
		}
	}
	// What a file is known to be, no hint changes.
	known := strings.Replace(withPart(`Content-Disposition: form-data; name="files"; filename="a"`, "12345"), "textMessage", "type", 1)
	if d, err := post(t, &spool{}, "multipart/form-data; boundary=B", strings.Replace(known, "caption", "audio", 1)); err != nil || d.Files[0].Type != models.Image {
		t.Errorf("%+v, %v", d.Files, err)
	}
	for _, value := range []string{"TEXT", "", "undefined", "image/jpeg", "sticker", "text "} {
		for _, s := range []*spool{{}, {either: true}} {
			if _, err := post(t, s, asForm, "chatId="+testChat+"&textMessage=x&type="+url.QueryEscape(value)); err != nil {
				t.Errorf("%q: %v", value, err)
			}
		}
	}
}
