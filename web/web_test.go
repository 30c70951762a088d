package web

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
)

func newBundles(t *testing.T) http.Handler {
	t.Helper()
	h, err := Bundles("/socket.io")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func newPage(t *testing.T) http.Handler {
	t.Helper()
	h, err := Page("/socket.io/socket.io.js")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// ask sends headers given as pairs.
func ask(h http.Handler, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func mustUnpack(t *testing.T, coding string, body []byte) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(body)
	var err error
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "deflate":
		r, err = zlib.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBundles(t *testing.T) {
	h := newBundles(t)
	for _, name := range bundleNames {
		for suffix, mediaType := range map[string]string{"": "application/javascript; charset=utf-8", ".map": "application/json; charset=utf-8"} {
			path := "/socket.io/" + name + suffix
			plain := ask(h, http.MethodGet, path)
			if plain.Code != http.StatusOK || plain.Body.Len() < 10_000 {
				t.Fatalf("%s: %d, %d bytes", path, plain.Code, plain.Body.Len())
			}
			for _, coding := range []string{"", "br", "gzip", "deflate"} {
				w := ask(h, http.MethodGet, path, "Accept-Encoding", coding)
				for key, want := range map[string]string{
					"Content-Type": mediaType, "ETag": `"4.8.4"`, "Cache-Control": "public, max-age=0",
					"Content-Encoding": coding, "Vary": "Accept-Encoding",
				} {
					if got := w.Header().Get(key); got != want {
						t.Errorf("%s in %q: %s is %q, want %q", path, coding, key, got, want)
					}
				}
				// Brotli is unpacked in test/browser: Go has no decoder of its own.
				if coding != "br" && !bytes.Equal(mustUnpack(t, coding, w.Body.Bytes()), plain.Body.Bytes()) {
					t.Errorf("%s in %q is not the file", path, coding)
				}
				if coding != "" && w.Body.Len() > plain.Body.Len()/2 {
					t.Errorf("%s in %q has %d of %d bytes", path, coding, w.Body.Len(), plain.Body.Len())
				}
				head := ask(h, http.MethodHead, path, "Accept-Encoding", coding)
				if head.Code != http.StatusOK || head.Body.Len() != 0 || head.Header().Get("Content-Length") != w.Header().Get("Content-Length") {
					t.Errorf("HEAD %s in %q: %d, %d bytes, %v", path, coding, head.Code, head.Body.Len(), head.Header())
				}
			}
		}
	}
}

func TestBundlesRefuse(t *testing.T) {
	h := newBundles(t)
	for _, path := range []string{
		"/socket.io/", "/socket.io", "/socket.io/socket.io.slim.js", "/socket.io/socket.io.js.br", "/socket.io/VERSION",
		"/socket.io/dist/socket.io.js", "/socket.io/../web.go", "/socket.io//socket.io.js", "/other/socket.io.js", "/socket.io.js",
	} {
		w := ask(h, http.MethodGet, path)
		var body struct {
			Error struct{ Code, Message string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != http.StatusNotFound || body.Error.Code != "not_found" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if got := w.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control is %q", path, got)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodDelete, http.MethodPut} {
		if w := ask(h, method, "/socket.io/socket.io.js"); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
}

func TestNotModified(t *testing.T) {
	h := newBundles(t)
	for etag, want := range map[string]int{
		`"4.8.4"`: 304, `W/"4.8.4"`: 304, `"1", "4.8.4"`: 304, `"1" ,W/"4.8.4"`: 304, `*`: 304,
		`"4.8.3"`: 200, `4.8.4`: 200, ``: 200, `W/"4.8.40"`: 200,
	} {
		w := ask(h, http.MethodGet, "/socket.io/socket.io.js", "If-None-Match", etag)
		if w.Code != want || want == 304 && w.Body.Len() != 0 {
			t.Errorf("If-None-Match %s: %d with %d bytes, want %d", etag, w.Code, w.Body.Len(), want)
		}
	}
}

// The expectations are what negotiator 0.6.3, which Node's server uses, answers;
// test/browser asks a Node server the same questions.
func TestPreferredCoding(t *testing.T) {
	for accept, want := range map[string]string{
		"gzip, deflate, br, zstd": "gzip", "br, gzip": "br", "gzip;q=0.5, br;q=0.4": "gzip", "gzip;q=0.4,br;q=0.5": "br",
		"gzip;q=0, *": "br", "*;q=0.5, br;q=0, gzip;q=0": "deflate", "*": "br", "*;q=0": "", "": "", "identity": "", "identity, gzip;q=0.1": "gzip", "GZIP": "gzip",
		"gzip;q=x": "", "gzip;q=NaN": "", "br;q=0.5, *;q=0.8": "gzip", "gzip, gzip;q=0": "gzip", "gzip;q=0, gzip": "gzip", "zstd": "", ",,": "", "x-gzip": "",
		"gzip;level=9;q=0.1, deflate;q=0.2": "deflate", strings.Repeat("x,", 100_000) + "gzip": "",
	} {
		if got := preferredCoding([]string{accept}, "br", "gzip", "deflate"); got != want {
			t.Errorf("%.60s: %q, want %q", accept, got, want)
		}
	}
	if got := preferredCoding([]string{"zstd", "deflate"}, "br", "gzip", "deflate"); got != "deflate" {
		t.Errorf("two header lines: %q", got)
	}
}

func TestManyAtOnce(t *testing.T) {
	h := newBundles(t)
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			coding := []string{"gzip", "deflate", "br", ""}[i%4]
			if w := ask(h, http.MethodGet, "/socket.io/socket.io.js", "Accept-Encoding", coding); w.Code != http.StatusOK {
				t.Errorf("%d", w.Code)
			}
		})
	}
	group.Wait()
}

func TestPage(t *testing.T) {
	h := newPage(t)
	index := ask(h, http.MethodGet, "/")
	if index.Code != http.StatusOK || index.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %v", index.Code, index.Header())
	}
	policy := index.Header().Get("Content-Security-Policy")
	for _, rule := range []string{"default-src 'self'", "img-src 'self' data: blob:", "connect-src 'self' ws: wss:"} {
		if !strings.Contains(policy+";", rule+";") {
			t.Errorf("the policy %q lacks %q", policy, rule)
		}
	}
	// Every part the page names is there, and nothing of it is elsewhere.
	links := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(index.Body.String(), -1)
	if len(links) < 4 {
		t.Fatalf("only %d links", len(links))
	}
	for _, link := range links {
		if link[1] == "/socket.io/socket.io.js" {
			continue
		}
		if w := ask(h, http.MethodGet, link[1]); w.Code != http.StatusOK {
			t.Errorf("%s: %d", link[1], w.Code)
		}
	}
	if found := regexp.MustCompile(`(?i)(<script>|<style|style=|\son[a-z]+=|https?:)`).FindString(index.Body.String()); found != "" {
		t.Errorf("the policy forbids %q", found)
	}
	etag := index.Header().Get("ETag")
	if w := ask(h, http.MethodGet, "/", "If-None-Match", etag); w.Code != http.StatusNotModified || etag == "" {
		t.Errorf("%d for %q", w.Code, etag)
	}
	if w := ask(h, http.MethodHead, "/page/main.js"); w.Code != http.StatusOK || w.Body.Len() != 0 || w.Header().Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("HEAD: %d, %d bytes, %v", w.Code, w.Body.Len(), w.Header())
	}
	for _, path := range []string{"/page/", "/page/index.html", "/page/none.js", "/page/../page.go", "/index.html", "/page"} {
		if w := ask(h, http.MethodGet, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := ask(h, http.MethodPost, "/"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

// Where Socket.IO is elsewhere, the page loads its client, and with that its
// transports, from there.
func TestPageOfAnotherPath(t *testing.T) {
	h, err := Page("/chat/ws/socket.io.msgpack.min.js")
	if err != nil {
		t.Fatal(err)
	}
	body := ask(h, http.MethodGet, "/").Body.String()
	if !strings.Contains(body, `<script id="client" src="/chat/ws/socket.io.msgpack.min.js" defer>`) || strings.Contains(body, "/socket.io/") {
		t.Error(body)
	}
	bundles, err := Bundles("/chat/ws")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"/chat/ws/socket.io.js": 200, "/chat/ws/socket.io.js.map": 200, "/socket.io/socket.io.js": 404, "/chat/socket.io.js": 404,
	} {
		if w := ask(bundles, http.MethodGet, path); w.Code != want {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// The notice is written by hand: it must name the version that is served, in
// both places, and no other.
func TestNotice(t *testing.T) {
	version, err := clientFiles.ReadFile("client/VERSION")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimSpace(string(version))
	js := ask(newBundles(t), http.MethodGet, "/socket.io/socket.io.js").Body.String()
	if !strings.Contains(js, "Socket.IO v"+want+"\n") {
		t.Errorf("socket.io.js is not of version %s", want)
	}
	notice, err := os.ReadFile("client/NOTICE.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"| Version | " + want + " (", "| Refreshed by | `web/client/refresh.sh " + want + "` |"} {
		if !strings.Contains(string(notice), line) {
			t.Errorf("the notice does not say %q", line)
		}
	}
	for _, named := range regexp.MustCompile(`\d+\.\d+\.\d+`).FindAllString(string(notice), -1) {
		if named != want {
			t.Errorf("the notice names %s, %s is served", named, want)
		}
	}
	licence, err := os.ReadFile("client/LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	holders := "2014-present Guillermo Rauch and Socket.IO contributors"
	if !strings.Contains(string(licence), holders) || !strings.Contains(string(notice), holders) {
		t.Errorf("the notice and the licence do not both name %q", holders)
	}
}

func TestDemoShape(t *testing.T) {
	got, err := json.Marshal(Demo{ChatID: "c", Users: []DemoUser{{UserID: "u", Name: "Alice", Token: "t"}}})
	if want := `{"chatId":"c","users":[{"userId":"u","name":"Alice","token":"t"}]}`; err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
}
