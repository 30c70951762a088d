package middleware

import (
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

func TestCORS(t *testing.T) {
	t.Parallel()
	const app, evil = "https://app.example", "https://evil.example"
	exact, star := []string{"https://www.example", app}, []string{"*"}
	preflight := func(origin string) []string {
		return []string{"Origin", origin, "Access-Control-Request-Method", "POST"}
	}
	for _, tc := range []struct {
		name           string
		origins        []string
		method, target string
		headers        []string
		status         int
		allow, creds   string
		vary           string
		methods        bool
		exposed        bool
	}{
		{"allowed", exact, "GET", "/api/x", []string{"Origin", app}, 200, app, "true", "Origin", false, true},
		{"allowed, file", exact, "GET", "/files/x", []string{"Origin", app}, 200, app, "true", "Origin", false, true},
		{"allowed, error", exact, "GET", "/api/nothing", []string{"Origin", app}, 404, app, "true", "Origin", false, true},
		{"another origin", exact, "GET", "/api/x", []string{"Origin", evil}, 200, "", "", "Origin", false, false},
		{"a longer origin", exact, "GET", "/api/x", []string{"Origin", app + ".evil.example"}, 200, "", "", "Origin", false, false},
		{"no origin", exact, "GET", "/api/x", nil, 200, "", "", "Origin", false, false},
		{"preflight", exact, "OPTIONS", "/api/x", preflight(app), 204, app, "true", "Origin, Access-Control-Request-Headers", true, false},
		{"preflight of another origin", exact, "OPTIONS", "/api/x", preflight(evil), 204, "", "", "Origin, Access-Control-Request-Headers", false, false},
		{"OPTIONS that is no preflight", exact, "OPTIONS", "/api/x", []string{"Origin", app}, 404, app, "true", "Origin", false, true},
		{"star", star, "GET", "/api/x", []string{"Origin", evil}, 200, "*", "", "", false, true},
		{"star, preflight", star, "OPTIONS", "/api/x", preflight(evil), 204, "*", "", "Access-Control-Request-Headers", true, false},
		{"no path at all", exact, "GET", "//api/x", []string{"Origin", app}, 404, app, "true", "Origin", false, true},
		{"a path of our own", exact, "GET", "/own", []string{"Origin", app}, 200, "", "", "", false, false},
		{"preflight of a path of our own", exact, "OPTIONS", "/own", preflight(app), 404, "", "", "", false, false},
		{"none configured", nil, "GET", "/api/x", []string{"Origin", app}, 200, "", "", "", false, false},
		{"none configured, preflight", nil, "OPTIONS", "/api/x", preflight(app), 404, "", "", "", false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := gin.New()
			r.Use(CORS(tc.origins, func(path string) bool { return path == "/own" }))
			for _, path := range []string{"/api/x", "/files/x", "/own"} {
				r.GET(path, func(c *gin.Context) { c.Status(200) })
			}
			rec := serve(r, tc.method, tc.target, tc.headers...)
			h := rec.Header()
			if rec.Code != tc.status || h.Get("Access-Control-Allow-Origin") != tc.allow ||
				h.Get("Access-Control-Allow-Credentials") != tc.creds || strings.Join(h.Values("Vary"), ", ") != tc.vary {
				t.Errorf("%d %v", rec.Code, h)
			}
			methods, headers, exposed := "", "", ""
			if tc.methods {
				methods, headers = "GET, HEAD, PUT, PATCH, POST, DELETE, OPTIONS", "Authorization, Content-Type, Idempotency-Key, X-Request-Id"
			}
			if tc.exposed {
				exposed = "X-Request-Id, Retry-After, WWW-Authenticate, Allow, ETag, Accept-Ranges, Content-Range, Content-Disposition"
			}
			if h.Get("Access-Control-Allow-Methods") != methods || h.Get("Access-Control-Allow-Headers") != headers ||
				h.Get("Access-Control-Expose-Headers") != exposed {
				t.Errorf("%v", h)
			}
		})
	}
}

// Tracing, jQuery and caches add headers of their own: a page may send what it
// asks to send, as on Node, but not make the answer as long as it likes.
func TestCORSReflectsHeaders(t *testing.T) {
	t.Parallel()
	r := gin.New()
	r.Use(CORS([]string{"https://a.example"}, func(string) bool { return false }))
	for _, tc := range []struct {
		asked []string
		want  string
	}{
		{[]string{"authorization,baggage,cache-control,sentry-trace,traceparent,x-requested-with"}, "authorization,baggage,cache-control,sentry-trace,traceparent,x-requested-with"},
		{[]string{"X-One , x-two"}, "X-One,x-two"},
		{[]string{"x-one", "x-two"}, "x-one,x-two"},
		{[]string{",,x-one,"}, "x-one"},
		{nil, corsHeaders},
		{[]string{""}, corsHeaders},
		{[]string{"x one"}, corsHeaders},
		{[]string{"x-ü"}, corsHeaders},
		{[]string{strings.Repeat("x", maxAskedHeaders)}, strings.Repeat("x", maxAskedHeaders)},
		{[]string{strings.Repeat("x", maxAskedHeaders+1)}, corsHeaders},
	} {
		headers := []string{"Origin", "https://a.example", "Access-Control-Request-Method", "POST"}
		for _, line := range tc.asked {
			headers = append(headers, "Access-Control-Request-Headers", line)
		}
		rec := serve(r, "OPTIONS", "/api/messages", headers...)
		if got := rec.Header().Get("Access-Control-Allow-Headers"); rec.Code != 204 || got != tc.want {
			t.Errorf("asked %.80q: %d %.80q, want %.80q", tc.asked, rec.Code, got, tc.want)
		}
		if got := rec.Header().Values("Vary"); !slices.Contains(got, "Access-Control-Request-Headers") {
			t.Errorf("asked %.80q: Vary is %q", tc.asked, got)
		}
	}
}

// A group-level CORS with a route for OPTIONS does the same.
func TestCORSOnAGroup(t *testing.T) {
	t.Parallel()
	r := gin.New()
	r.OPTIONS("/api/*any", CORS([]string{"https://a.example"}, func(string) bool { return false }), func(c *gin.Context) { t.Error("a preflight went through") })
	rec := serve(r, "OPTIONS", "/api/x", "Origin", "https://a.example", "Access-Control-Request-Method", "POST")
	if rec.Code != 204 || rec.Header().Get("Access-Control-Allow-Origin") != "https://a.example" {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	r := gin.New()
	r.Use(SecurityHeaders())
	for _, tc := range []struct{ target, csp, corp, cache string }{
		{"/api/chats", "default-src 'none'; frame-ancestors 'none'", "", "no-store"},
		{"/files/a.svg", "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox allow-same-origin", "cross-origin", ""},
		{"/socket.io/socket.io.js", "", "", ""},
	} {
		h := serve(r, "GET", tc.target).Header()
		if h.Get("Content-Security-Policy") != tc.csp || h.Get("Cross-Origin-Resource-Policy") != tc.corp || h.Get("Cache-Control") != tc.cache ||
			h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", tc.target, h)
		}
	}
}
