package middleware

import (
	"strings"

	"github.com/gin-gonic/gin"
)

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

func under(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }
