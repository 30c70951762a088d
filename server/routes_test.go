package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley/adapters/hub"
	"parley/adapters/js"
	"parley/adapters/token"
	"parley/handlers"
	"parley/middleware"
	"parley/models"
)

const app = "https://app.example"

// routed is the real router over handlers that have no rooms behind them: what
// gets as far as those panics, which is one of the answers that are looked at.
func routed(t *testing.T, socketPath string) (h http.Handler, log *bytes.Buffer, s *Server) {
	t.Helper()
	log = new(bytes.Buffer)
	logger := slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s = &Server{
		cfg: Config{CORSOrigins: []string{app}, SocketIOPath: socketPath, MessagesPerSec: 1, MessagesBurst: 1},
		log: logger, metrics: middleware.NewMetrics(), tokens: token.New(token.Options{Secret: []byte(secret32), Now: time.Now}),
	}
	s.files = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })
	var err error
	s.sockets, err = hub.New(hub.Options{
		Path: socketPath, CORSOrigins: s.cfg.CORSOrigins,
		Encode: func(models.Event) (string, any) { return "", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.sockets.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	h, err = s.routes(handlers.New(handlers.Options{
		Verifier: s.tokens, User: middleware.UserOf, Logger: logger, JSON: js.AppendJSON, Refused: s.metrics.RequestRefused,
		Checks: map[string]func(context.Context) error{"mongodb": func(context.Context) error { return nil }},
		Limits: handlers.Limits{RequestTimeout: time.Second},
	}))
	if err != nil {
		t.Fatal(err)
	}
	return h, log, s
}

func ask(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, http.NoBody)
	r.Header.Set("Origin", app)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Whatever a page is answered, it may read, in the one shape, with an id that
// the log has too; and it is counted.
func TestNoAnswerPassesTheMiddleware(t *testing.T) {
	t.Parallel()
	h, log, s := routed(t, "/socket.io")
	bearer := "Bearer " + mustMint(t, s)
	for _, tc := range []struct {
		name, method, target string
		headers              []string
		status               int
		code, allow          string
	}{
		{"trailing slash, POST", "POST", "/api/messages/", nil, 401, "token_missing", ""},
		{"trailing slash, GET", "GET", "/api/chats/", nil, 401, "token_missing", ""},
		{"trailing slash behind an id", "GET", "/api/chats/65f000000000000000000001/messages/", nil, 401, "token_missing", ""},
		{"trailing slash, DELETE", "DELETE", "/api/chats/65f000000000000000000001/participants/65f000000000000000000002/", nil, 401, "token_missing", ""},
		{"no such path", "GET", "/api/nothing", nil, 404, "not_found", ""},
		{"no such path, with a slash", "POST", "/api/nothing/", nil, 404, "not_found", ""},
		{"nothing of ours", "GET", "/wp-login.php", nil, 404, "not_found", ""},
		{"a doubled slash, as on Express", "GET", "//api/chats", nil, 404, "not_found", ""},
		{"two slashes, as on Express", "GET", "/api/chats//", nil, 404, "not_found", ""},
		{"a file is none with a slash, as on Express", "GET", "/files/x/", nil, 404, "not_found", ""},
		{"nor is a bundle", "GET", "/socket.io/socket.io.js/", nil, 404, "", ""},
		{"other letters", "GET", "/API/chats", nil, 404, "not_found", ""},
		{"OPTIONS of no path", "OPTIONS", "/api/nothing", nil, 404, "not_found", ""},
		{"another method", "PUT", "/api/messages", nil, 405, "method_not_allowed", "POST"},
		{"another method, with a slash", "PATCH", "/api/chats/", nil, 405, "method_not_allowed", "POST"},
		{"a method nobody knows", "BREW", "/api/messages", nil, 405, "method_not_allowed", "POST"},
		{"another method for a file", "POST", "/files/x", nil, 405, "method_not_allowed", "GET"},
		{"HEAD of what is posted", "HEAD", "/api/messages", nil, 405, "", "POST"},
		{"OPTIONS", "OPTIONS", "/api/chats", nil, 204, "", "OPTIONS"},
		{"OPTIONS of everything", "OPTIONS", "*", nil, 204, "", ""},
		{"preflight of no path", "OPTIONS", "/api/nothing", []string{"Access-Control-Request-Method", "PUT"}, 204, "", ""},
		{"a panic", "GET", "/api/chats", []string{"Authorization", bearer}, 500, "internal", ""},
		{"no such bundle", "GET", "/socket.io/nothing.js", nil, 404, "", ""},
		{"no path at all", "GET", "http://chat.example", nil, 404, "not_found", ""},
	} {
		log.Reset()
		before := counted(t, s)
		headers := append([]string{"X-Request-Id", "id-1"}, tc.headers...)
		w := ask(h, tc.method, tc.target, headers...)
		var body struct {
			Error struct{ Code, Message string }
		}
		if w.Body.Len() > 0 && tc.code != "" {
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
				t.Errorf("%s: %v in %s", tc.name, err, w.Body)
			}
		}
		if w.Code != tc.status || body.Error.Code != tc.code && tc.method != "HEAD" || !strings.Contains(w.Header().Get("Allow"), tc.allow) {
			t.Errorf("%s: %d %s, Allow %q", tc.name, w.Code, w.Body, w.Header().Get("Allow"))
		}
		if w.Header().Get("Access-Control-Allow-Origin") != app || w.Header().Get("X-Request-Id") != "id-1" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", tc.name, w.Header())
		}
		if !strings.Contains(log.String(), `"msg":"request"`) || !strings.Contains(log.String(), `"request_id":"id-1"`) {
			t.Errorf("%s: logged %s", tc.name, log)
		}
		if now := counted(t, s); now != before+1 {
			t.Errorf("%s: %d requests counted", tc.name, now-before)
		}
	}
}

// counted sums the requests the metrics know of.
func counted(t *testing.T, s *Server) int {
	t.Helper()
	w := httptest.NewRecorder()
	s.metrics.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	sum := 0
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "parley_http_requests_total{") {
			n := 0
			for _, d := range strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]) {
				n = n*10 + int(d-'0')
			}
			sum += n
		}
	}
	return sum
}

func mustMint(t *testing.T, s *Server) string {
	t.Helper()
	text, err := s.tokens.Mint("65f000000000000000000001", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// HEAD is answered wherever GET is: monitors ask for nothing else.
func TestHead(t *testing.T) {
	t.Parallel()
	h, _, _ := routed(t, "/socket.io")
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	for _, path := range []string{
		"/healthz", "/readyz", "/metrics", "/healthz/", "/files/x", "/api/chats/", "/api/chats", "/api/chats/x/messages",
		"/api/users/x/online", "/socket.io/nothing.js",
	} {
		got, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = got.Body.Close()
		head, err := http.Head(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(head.Body)
		_ = head.Body.Close()
		if err != nil || len(body) > 0 || head.StatusCode != got.StatusCode || head.Header.Get("Content-Type") != got.Header.Get("Content-Type") {
			t.Errorf("%s: HEAD %d %q with %d bytes, %v; GET %d %q", path, head.StatusCode, head.Header.Get("Content-Type"), len(body), err, got.StatusCode, got.Header.Get("Content-Type"))
		}
	}
}

// What no other page is to read has no CORS headers, whatever CORS_ORIGIN says.
func TestUnshared(t *testing.T) {
	t.Parallel()
	h, _, _ := routed(t, "/chat/ws")
	for target, want := range map[string]string{
		"/metrics": "", "/metrics/": "", "/demo.json": "", "/demo.json/": "",
		"/": app, "/healthz": app, "/api/chats": app, "/chat/ws/nothing.js": app,
		"/chat/ws/?EIO=4&transport=none": app, "/chat/ws?EIO=4&transport=none": app, // by the engine, once
	} {
		got := ask(h, http.MethodGet, target).Header().Values("Access-Control-Allow-Origin")
		if strings.Join(got, "|") != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}

// Socket.IO is where SOCKETIO_PATH says, with a slash or without, and nowhere else.
func TestSocketIOPath(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/socket.io", "/chat/ws", "/api/socket.io"} {
		h, log, _ := routed(t, path)
		for _, target := range []string{path, path + "/"} {
			log.Reset()
			w := ask(h, http.MethodGet, target+"?EIO=4&transport=none")
			if w.Code != 400 || w.Body.String() != `{"code":0,"message":"Transport unknown"}` {
				t.Errorf("%s: %d %s", target, w.Code, w.Body)
			}
			if strings.Contains(log.String(), `"level":"INFO","msg":"request"`) {
				t.Errorf("%s: a poll is logged as if it were news: %s", target, log)
			}
		}
		if w := ask(h, http.MethodGet, "/elsewhere/?EIO=4&transport=polling"); w.Code != 404 {
			t.Errorf("elsewhere: %d %s", w.Code, w.Body)
		}
	}
}
