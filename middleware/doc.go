// Package middleware is what happens to every HTTP request before and after its
// handler: who it is from, how often it may come, what is logged and counted.
//
// It owns no answer: every refusal goes through the one error writer it is
// given. It refuses to know chats, messages or storage.
package middleware

import "github.com/gin-gonic/gin"

// Fail answers a request with an error and ends it; handlers.Fail is the one.
type Fail = func(c *gin.Context, err error)

// key names what middleware leaves in the gin context.
type key int

const (
	identityKey key = iota
	requestIDKey
	realtimeKey
)
