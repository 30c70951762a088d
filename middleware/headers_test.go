package middleware

import (
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
		{"preflight", exact, "OPTIONS", "/api/x", preflight(app), 204, app, "true", "Origin", true, false},
		{"preflight of another origin", exact, "OPTIONS", "/api/x", preflight(evil), 204, "", "", "Origin", false, false},
		{"OPTIONS that is no preflight", exact, "OPTIONS", "/api/x", []string{"Origin", app}, 404, app, "true", "Origin", false, true},
		{"star", star, "GET", "/api/x", []string{"Origin", evil}, 200, "*", "", "", false, true},
		{"star, preflight", star, "OPTIONS", "/api/x", preflight(evil), 204, "*", "", "", true, false},
		{"other paths are not ours", exact, "GET", "/apix", []string{"Origin", app}, 200, "", "", "", false, false},
		{"none configured", nil, "GET", "/api/x", []string{"Origin", app}, 200, "", "", "", false, false},
		{"none configured, preflight", nil, "OPTIONS", "/api/x", preflight(app), 404, "", "", "", false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := gin.New()
			r.Use(CORS(tc.origins))
			for _, path := range []string{"/api/x", "/files/x", "/apix"} {
				r.GET(path, func(c *gin.Context) { c.Status(200) })
			}
			rec := serve(r, tc.method, tc.target, tc.headers...)
			h := rec.Header()
			if rec.Code != tc.status || h.Get("Access-Control-Allow-Origin") != tc.allow ||
				h.Get("Access-Control-Allow-Credentials") != tc.creds || h.Get("Vary") != tc.vary {
				t.Errorf("%d %v", rec.Code, h)
			}
			methods, headers, exposed := "", "", ""
			if tc.methods {
				methods, headers = "GET, HEAD, POST, DELETE, OPTIONS", "Authorization, Content-Type, Idempotency-Key, X-Request-Id"
			}
			if tc.exposed {
				exposed = "X-Request-Id, Retry-After"
			}
			if h.Get("Access-Control-Allow-Methods") != methods || h.Get("Access-Control-Allow-Headers") != headers ||
				h.Get("Access-Control-Expose-Headers") != exposed {
				t.Errorf("%v", h)
			}
		})
	}
}

// A group-level CORS with a route for OPTIONS does the same.
func TestCORSOnAGroup(t *testing.T) {
	t.Parallel()
	r := gin.New()
	r.OPTIONS("/api/*any", CORS([]string{"https://a.example"}), func(c *gin.Context) { t.Error("a preflight went through") })
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
