package middleware

import (
	"context"
	"strings"

	"github.com/gin-gonic/gin"

	"parley/models"
)

// Verifier says whom a token speaks for. raw is what was sent in its place;
// present is false where nothing was. REST and the handshake share one.
type Verifier interface {
	Verify(ctx context.Context, raw any, present bool) (models.Identity, error)
}

// RequireUser lets only requests with a valid bearer token through.
func RequireUser(v Verifier, fail Fail) gin.HandlerFunc {
	return func(c *gin.Context) {
		raw, present := bearer(c.Request.Header.Values("Authorization"))
		identity, err := v.Verify(c.Request.Context(), raw, present)
		if err != nil {
			fail(c, err)
			c.Abort()
			return
		}
		c.Set(identityKey, identity)
		c.Next()
	}
}

// UserOf returns who the request is from; the zero Identity without RequireUser.
func UserOf(c *gin.Context) models.Identity {
	v, _ := c.Get(identityKey)
	identity, _ := v.(models.Identity)
	return identity
}

// bearer returns the token as the verifier takes it. Another scheme is no
// token; two headers are passed on as a list, which is malformed, since servers
// in a chain might each believe a different one.
func bearer(headers []string) (raw any, present bool) {
	if len(headers) == 0 {
		return nil, false
	}
	if len(headers) > 1 {
		return headers, true
	}
	scheme, token, _ := strings.Cut(strings.TrimSpace(headers[0]), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, false
	}
	return strings.TrimSpace(token), true
}
