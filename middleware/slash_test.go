package middleware

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTrailingSlash(t *testing.T) {
	t.Parallel()
	var path, raw string
	h := TrailingSlash(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { path, raw = r.URL.Path, r.URL.RawPath }),
		func(path string) bool { return strings.HasPrefix(path, "/socket.io/") })
	for target, want := range map[string][2]string{
		"/api/chats":            {"/api/chats", ""},
		"/api/chats/":           {"/api/chats", ""},
		"/api/chats/?limit=1/":  {"/api/chats", ""},
		"/api/chats//":          {"/api/chats/", ""}, // Express takes one slash, not two
		"/api/chats/a%2Fb/":     {"/api/chats/a/b", "/api/chats/a%2Fb"},
		"/":                     {"/", ""},
		"http://chat.example":   {"/", ""},
		"/socket.io/?EIO=4":     {"/socket.io/", ""},
		"/socket.io?EIO=4":      {"/socket.io", ""},
		"/socket.io/client.js/": {"/socket.io/client.js/", ""},
		"/elsewhere/socket.io/": {"/elsewhere/socket.io", ""},
	} {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		before := *r.URL
		h.ServeHTTP(httptest.NewRecorder(), r)
		if path != want[0] || raw != want[1] {
			t.Errorf("%s: %q %q, want %q", target, path, raw, want)
		}
		if *r.URL != before {
			t.Errorf("%s: the caller's request was changed to %v", target, r.URL)
		}
	}
}
