package middleware

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

const (
	corsMethods = "GET, HEAD, PUT, PATCH, POST, DELETE, OPTIONS"
	// corsHeaders is for preflights that ask for nothing, or for more than can be.
	corsHeaders = "Authorization, Content-Type, Idempotency-Key, X-Request-Id"
	// corsExposed is what answers carry beyond what pages may always read.
	corsExposed = "X-Request-Id, Retry-After, WWW-Authenticate, Allow, ETag, Accept-Ranges, Content-Range, Content-Disposition"
	corsMaxAge  = "600" // seconds; no browser that matters keeps it longer than two hours
	// maxAskedHeaders bounds what a preflight is answered back; tracing and
	// authentication together ask for some 200 bytes.
	maxAskedHeaders = 4 << 10
)

// CORS lets pages of the origins use every path but those own names, refusals
// and paths that do not exist included: a page that may not read a 404 takes it
// for a network that is down. It stands before routing (engine.Use), because no
// route matches a preflight. Origins are spelled as browsers send them.
func CORS(origins []string, own func(path string) bool) gin.HandlerFunc {
	anyone := slices.Contains(origins, "*")
	return func(c *gin.Context) {
		if len(origins) == 0 || own(c.Request.URL.Path) {
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
			h.Add("Vary", "Access-Control-Request-Headers")
			if allowed {
				h.Set("Access-Control-Allow-Methods", corsMethods)
				h.Set("Access-Control-Allow-Headers", allowedHeaders(c.Request.Header.Values("Access-Control-Request-Headers")))
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

// allowedHeaders lets a page send whatever headers it asks for: which ones
// there are is up to its libraries, tracing for one, and none of them opens
// anything here.
func allowedHeaders(asked []string) string {
	list := strings.Join(asked, ",")
	if len(list) > maxAskedHeaders {
		return corsHeaders
	}
	names := make([]string, 0, 8)
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		if strings.ContainsFunc(name, notInToken) {
			return corsHeaders
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return corsHeaders
	}
	return strings.Join(names, ",")
}

// notInToken says that a header's name cannot hold the letter (RFC 9110, 5.6.2).
func notInToken(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}
