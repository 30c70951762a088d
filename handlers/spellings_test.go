package handlers

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"parley/models"
)

// post sends a body as it stands to a fresh pod.
func post(t *testing.T, s *spool, contentType, body string) (models.Draft, error) {
	t.Helper()
	h := testHandlers(s)
	h.Limits.TextBytes, h.Limits.FileBytes = 100, 100
	h.places = newPlaces(1, h.Limits.postBytes())
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = httptest.NewRequest(http.MethodPost, "/api/messages", strings.NewReader(body))
	c.Request.Header.Set("Content-Type", contentType)
	c.Request.Header.Set("X-User", "ann")
	d, err := h.readDraft(c)
	return d, h.strangers(d, err)
}

// withPart is a form with a caption and one part of the given head and content.
func withPart(head, content string) string {
	return "--B\r\nContent-Disposition: form-data; name=\"chatId\"\r\n\r\n" + testChat +
		"\r\n--B\r\nContent-Disposition: form-data; name=\"textMessage\"\r\n\r\ncaption" +
		"\r\n--B\r\n" + head + "\r\n\r\n" + content + "\r\n--B--\r\n"
}

// How a part with a file may call itself. want is the file's name; - is no file,
// ! a refusal that names the part.
func TestSpellingsOfAFilePart(t *testing.T) {
	const d = "Content-Disposition: form-data; "
	tests := []struct{ head, want string }{
		{d + `name="files"; filename="a.png"`, "a.png"},
		{d + `filename="a.png"; name="files"`, "a.png"},
		{d + `name=files; filename=a.png`, "a.png"},
		{d + `name="files[]"; filename="a.png"`, "a.png"},
		{`content-disposition:form-data;name="files";filename="a.png"`, "a.png"},
		{`CONTENT-DISPOSITION: FORM-DATA; NAME="files"; FILENAME="a.png"`, "a.png"},
		{d + `name = "files" ; filename = "a.png" ;`, "a.png"},
		{d + `name="files";; filename="a.png"; size=12`, "a.png"},
		{d + "name=\"files\";\r\n filename=\"a.png\"", "a.png"},
		{d + "name=\"files\";\tfilename=\"a.png\"", "a.png"},
		{d + `name="files"; filename="a.png"` + "\r\nContent-Transfer-Encoding: binary", "a.png"},
		{d + `name="files"; filename="böse 🙂.png"`, "böse 🙂.png"},
		{d + `name="files"; filename=böse.png`, "böse.png"},
		{d + "name=\"files\"; filename=\"na\xefve.png\"", "naïve.png"},
		{d + `name="files"; filename="my photo.png"`, "my photo.png"},
		{d + `name="files"; filename=my photo.png`, "my photo.png"},
		{d + `name="files"; filename="my "best" photo.png"`, `my "best" photo.png`},
		{d + `name="files"; filename=""best".png"`, `"best".png`},
		{d + `filename="my "best" photo.png"; name="files"`, `my "best" photo.png`},
		{d + `name="files"; filename="5" screen.png"`, `5" screen.png`},
		{d + `name="files"; filename="a"; b.png"`, `a"; b.png`},
		{d + `name="files"; filename="a;b.png"`, "a;b.png"},
		{d + `name="files"; filename="a=b.png"`, "a=b.png"},
		{d + `name="files"; filename="my \"best\" photo.png"`, `my "best" photo.png`},
		{d + `name="files"; filename="a\\b.png"`, "b.png"},
		{d + `name="files"; filename="photo\"`, "photo"},
		{d + `filename="photo\"; name="files"`, "photo"},
		{d + `name="files"; filename="C:\Users\new\photo.png"`, "photo.png"},
		{d + `name="files"; filename="/sdcard/DCIM/photo.png"`, "photo.png"},
		{d + `name="files"; filename="../../evil.png"`, "evil.png"},
		{d + `name="files"; filename="%22a%22.png"`, "%22a%22.png"},
		{d + `name="files"; filename="100%.png"`, "100%.png"},
		{d + `name="files"; filename*=UTF-8''na%C3%AFve.png`, "naïve.png"},
		{d + `name="files"; filename*=utf-8'en'na%C3%AFve.png`, "naïve.png"},
		{d + `name="files"; filename*=iso-8859-1''na%EFve.png`, "naïve.png"},
		{d + `name="files"; filename="naive.png"; filename*=UTF-8''na%C3%AFve.png`, "naïve.png"},
		{d + `name="files"; filename*="UTF-8''na%C3%AFve.png"`, "naïve.png"},
		{d + `name="files"; filename*=a.png`, "a.png"},
		{d + `name="files"; filename*=koi8-r''%C1.png`, "Á.png"},
		{d + `name="files"; filename*=UTF-8''100%.png`, "100%.png"},
		{d + `name*=UTF-8''files; filename="a.png"`, "a.png"},
		{d + `name="files"; filename*0="long"; filename*1="name.png"`, "longname.png"},
		{d + `name="files"; filename*1*=%AF.png; filename*0*=UTF-8''na%C3`, "naï.png"},
		{d + `name="files"; filename="a.png"; filename="a.png"`, "a.png"},
		{d + `name="files"; filename="a.png"; filename="b.png"`, "a.png"},
		{d + `name="files"; filename*0="a"; filename*2="b"`, "ab"},
		{d + `name="files"; filename="undefined"`, "undefined"},
		{d + `name="files"; filename=" "`, " "},
		{d + `name="files"; filename=""`, ""}, // with content
		{d + `name="files"; filename=`, ""},

		{`X-Nothing: 1`, "!"},
		{`Content-Disposition: attachment; name="files"; filename="a.png"`, "!"},
		{`Content-Disposition: form-data`, "!"},
		{d + `filename="a.png"`, "!"},
		{d + `name=""; filename="a.png"`, "!"},
		{`Content-Disposition: form-data, name="files", filename="a.png"`, "!"},
		{`Content-Disposition: form-data name="files"; filename="a.png"`, "!"},
		{d + `name="files"; filename="a.png`, "!"},
		{d + `name="files; filename="a.png`, "!"},
		{d + `name="files"; filename`, "!"},
		{d + `name="files"; filename=my"best"photo.png`, "!"},
		{d + `name="chatId"; name="files"; filename="a.png"`, "!"},
		{d + `name="files"; filename="a"; b=c.png"`, "!"},
		{d + "name=\"files\"; filename=\"a\x00.png\"", "!"},
		{d + "name=\"files\"; filename=\"a\x1b[2J.png\"", "!"},
		{d + `name*0="fil"; name*2="es"; filename="a.png"`, "!"},
		{d + `name="files"; filename="a.png"` + "\r\n" + d + `name="chatId"`, "!"},
	}
	for i, tt := range tests {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			s := &spool{}
			draft, err := post(t, s, "multipart/form-data; boundary=B", withPart(tt.head, "content"))
			if tt.want == "!" {
				if models.CodeOf(err) != models.CodeInvalidBody || !strings.Contains(err.Error(), "part 3") {
					t.Fatalf("%q: %v, with %q received", tt.head, err, s.names)
				}
				return
			}
			if err != nil || len(s.names) != 1 || s.names[0] != tt.want || draft.Text != "caption" {
				t.Fatalf("%q: received %q, text %q, %v; want %q", tt.head, s.names, draft.Text, err, tt.want)
			}
		})
	}
}

func TestEmptyFileInputs(t *testing.T) {
	const files = `Content-Disposition: form-data; name="files"`
	none := []struct{ head, content string }{
		{files + "; filename=\"\"\r\nContent-Type: application/octet-stream", ""},
		{files + `; filename=""`, ""},
		{files + `; filename=`, ""},
		{files + `; filename*=UTF-8''`, ""},
		{files, ""}, {files, "undefined"}, {files, "null"}, {files, "false"}, {files, "[]"}, {files, " \r\n"},
		{`Content-Disposition: form-data; name="files[]"`, "undefined"},
		{files + "\r\nContent-Type: application/octet-stream", ""},
		{`Content-Disposition: form-data; name="avatar"; filename=""`, ""},
	}
	for _, tt := range none {
		s := &spool{}
		draft, err := post(t, s, "multipart/form-data; boundary=B", withPart(tt.head, tt.content))
		if err != nil || len(s.names) != 0 || draft.Text != "caption" {
			t.Errorf("%q %q: received %q, text %q, %v", tt.head, tt.content, s.names, draft.Text, err)
		}
	}
	for _, word := range []string{"some words", "[object File]", "{}", "0"} {
		_, err := post(t, &spool{}, "multipart/form-data; boundary=B", withPart(files, word))
		if models.CodeOf(err) != models.CodeInvalidBody || !strings.Contains(err.Error(), "part 3") {
			t.Errorf("%q: %v", word, err)
		}
	}
}

func TestBoundaries(t *testing.T) {
	read := map[string]string{
		`multipart/form-data; boundary=B`:                             "B",
		`Multipart/Form-Data;BOUNDARY="B"`:                            "B",
		`multipart/form-data; boundary=B; charset=utf-8`:              "B",
		`multipart/form-data; charset=utf-8; boundary=B;`:             "B",
		`multipart/form-data; boundary=----WebKit/Form+7:a=b?(c),@d`:  "----WebKit/Form+7:a=b?(c),@d",
		`multipart/form-data; boundary="a b"`:                         "a b",
		`multipart/form-data; boundary="a/b"`:                         "a/b",
		`multipart/form-data; boundary=B; boundary=B`:                 "B",
		`multipart/form-data; boundary=` + strings.Repeat("b", 200):   strings.Repeat("b", 200),
		`multipart/form-data; boundary=----=_Part_1_12345.1234567890`: "----=_Part_1_12345.1234567890",
		`multipart/form-data; boundary = B`:                           "B",
		`multipart/form-data ; boundary=B`:                            "B",
	}
	for contentType, want := range read {
		body := strings.ReplaceAll(withPart(`Content-Disposition: form-data; name="files"; filename="a.png"`, "content"), "--B", "--"+want)
		s := &spool{}
		if _, err := post(t, s, contentType, body); err != nil || len(s.names) != 1 {
			t.Errorf("%q: received %q, %v", contentType, s.names, err)
		}
	}
	for _, contentType := range []string{
		`multipart/form-data`, `multipart/form-data; boundary=`, `multipart/form-data; boundary=""`, `multipart/form-data; boundary="B`,
		`multipart/form-data; boundary=A; boundary=B`, "multipart/form-data; boundary=\"B \"", "multipart/form-data; boundary=Bö",
		`multipart/form-data; boundary=` + strings.Repeat("b", 300),
	} {
		if _, err := post(t, &spool{}, contentType, withPart(`Content-Disposition: form-data; name="files"; filename="a.png"`, "x")); models.CodeOf(err) != models.CodeInvalidBody {
			t.Errorf("%q: %v", contentType, err)
		}
	}
}

// What is read twice is read the same: a name that we made is one that we read.
func FuzzDisposition(f *testing.F) {
	for _, s := range []string{
		`form-data; name="files"; filename="a.png"`, `form-data; name=files; filename*=iso-8859-1''a%EF`, `form-data; name="a"; filename="b"c"`,
		`form-data; filename="a\"; name="files"`, `form-data; name="x"; filename*0*=UTF-8''a; filename*1=b`, `multipart/form-data; boundary=a/b`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := parseDisposition([]string{s})
		if !ok && (d.name != "" || d.filename != "" || d.file) {
			t.Fatalf("refused, and read as %+v", d)
		}
		if ok && (d.name == "" || strings.ContainsAny(d.filename, `/\`) || d.filename != "" && !d.file) {
			t.Fatalf("read as %+v", d)
		}
		odd := func(r rune) bool { return r < ' ' || r == 0x7f || r == '"' || r == '\\' }
		if ok && strings.IndexFunc(d.name+d.filename, odd) < 0 {
			again, ok := parseDisposition([]string{fmt.Sprintf(`form-data; name="%s"; filename="%s"`, d.name, d.filename)})
			if !ok || again.name != d.name || again.filename != d.filename {
				t.Fatalf("%+v is read back as %+v, %v", d, again, ok)
			}
		}
		if boundary, ok := parseBoundary(s); ok && (boundary == "" || len(boundary) > maxBoundary) {
			t.Fatalf("boundary %q", boundary)
		}
	})
}
