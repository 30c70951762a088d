package middleware

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

const (
	corsMethods = "GET, HEAD, POST, DELETE, OPTIONS"
	corsHeaders = "Authorization, Content-Type, Idempotency-Key, X-Request-Id"
	corsExposed = "X-Request-Id, Retry-After"
	corsMaxAge  = "600" // seconds; no browser that matters keeps it longer than two hours
)

// CORS lets pages of the origins use /api, /files and the client bundles;
// package socketio answers for the rest of /socket.io itself. It stands before routing (engine.Use), because no
// route matches a preflight. Origins are spelled as browsers send them.
func CORS(origins []string) gin.HandlerFunc {
	anyone := slices.Contains(origins, "*")
	return func(c *gin.Context) {
		if len(origins) == 0 || !shared(c.Request.URL.Path) {
			c.Next()
			return
		}
		h, origin := c.Writer.Header(), c.GetHeader("Origin")
		preflight := origin != "" && c.Request.Method == http.MethodOptions && c.GetHeader("Access-Control-Request-Method") != ""
		allowed := origin != "" && (anyone || slices.Contains(origins, origin))
		if !anyone {
			h.Add("Vary", "Origin") // a cache must not hand one origin's answer to another
		}
		switch {
		case allowed && anyone:
			// Never with credentials: any page could then act for the user.
			h.Set("Access-Control-Allow-Origin", "*")
		case allowed:
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Credentials", "true")
		}
		if preflight {
			if allowed {
				h.Set("Access-Control-Allow-Methods", corsMethods)
				h.Set("Access-Control-Allow-Headers", corsHeaders)
				h.Set("Access-Control-Max-Age", corsMaxAge)
			}
			c.AbortWithStatus(http.StatusNoContent)
			return
		}
		if allowed {
			h.Set("Access-Control-Expose-Headers", corsExposed)
		}
		c.Next()
	}
}

// filesPolicy lets a film or a voice message play in a tab of its own: there the
// browser makes a page around it, with a style of its own and the file as media
// of the same origin, which a sandbox without allow-same-origin would take from
// it. Nothing runs: no script is allowed, by either directive.
const filesPolicy = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox allow-same-origin"

// SecurityHeaders keeps browsers from making more of an answer than it is. What
// users uploaded may be shown by pages of other origins, and never runs. No
// other place sets a policy for /files.
func SecurityHeaders() gin.HandlerFunc {
	return func(c *gin.Context) {
		h, path := c.Writer.Header(), c.Request.URL.Path
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		switch {
		case under(path, "/files"):
			h.Set("Content-Security-Policy", filesPolicy)
			h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		case under(path, "/api"):
			h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
			h.Set("Cache-Control", "no-store")
		}
		c.Next()
	}
}

func shared(path string) bool {
	return under(path, "/api") || under(path, "/files") || strings.Contains(path, "/socket.io.")
}

func under(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }
