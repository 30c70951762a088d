package middleware

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// AccessLog writes one line a request. It names the route's template and never
// the path or the query, which may carry ids, session ids and tokens.
func AccessLog(logger *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		start := time.Now()
		// Deferred, so that a request whose connection is torn down is logged too.
		defer func() {
			level := slog.LevelInfo
			if routine(c) {
				level = slog.LevelDebug
			}
			ctx := c.Request.Context()
			if !logger.Enabled(ctx, level) {
				return
			}
			attrs := []slog.Attr{
				slog.String("method", method(c.Request.Method)),
				slog.String("route", route(c)),
				slog.Int("status", c.Writer.Status()),
				slog.Int("bytes", max(0, c.Writer.Size())),
				slog.Duration("duration", time.Since(start)),
				slog.String("client", c.ClientIP()), // behind TRUSTED_PROXIES
				slog.String("request_id", RequestIDFrom(ctx)),
			}
			if user := UserOf(c).UserID; user != "" {
				attrs = append(attrs, slog.String("user_id", string(user)))
			}
			logger.LogAttrs(ctx, level, "request", attrs...)
		}()
		c.Next()
	}
}

// routine are the requests machines make all day.
func routine(c *gin.Context) bool {
	switch c.FullPath() {
	case "/healthz", "/readyz", "/metrics":
		return true
	default:
		return realtime(c)
	}
}

// Realtime marks the transports' own requests. They last as long as a poll, or
// a connection, which says nothing about how fast the server is.
func Realtime() gin.HandlerFunc { return func(c *gin.Context) { c.Set(realtimeKey, true) } }

func realtime(c *gin.Context) bool { return c.GetBool(realtimeKey) }

// other stands for every label value that is not one of the known ones.
const other = "other"

// route is the template a request matched, of which there are only so many.
func route(c *gin.Context) string {
	if path := c.FullPath(); path != "" {
		return path
	}
	return other
}

func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions:
		return m
	}
	return other
}
