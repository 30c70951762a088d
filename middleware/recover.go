package middleware

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/gin-gonic/gin"

	"parley/models"
)

// Recover turns a panic into an answer, a log line with its stack, and a count.
func Recover(logger *slog.Logger, metrics interface{ Panicked() }, fail Fail) gin.HandlerFunc {
	return func(c *gin.Context) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v) // how a handler asks net/http to cut the connection
			}
			metrics.Panicked()
			logger.ErrorContext(c.Request.Context(), "a handler panicked", "panic", fmt.Sprint(v), "method", method(c.Request.Method),
				"route", route(c), "request_id", RequestIDFrom(c.Request.Context()), "stack", string(debug.Stack()))
			if c.Writer.Written() {
				// Half an answer is out: the client must not take it for a whole one.
				panic(http.ErrAbortHandler)
			}
			fail(c, models.Internal(fmt.Errorf("panic: %v", v)))
			c.Abort()
		}()
		c.Next()
	}
}
