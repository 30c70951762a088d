package handlers

import (
	"math"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"parley/models"
)

// statuses is the one place where a code becomes an HTTP status.
var statuses = map[models.Code]int{
	models.CodeTokenMissing:     http.StatusUnauthorized,
	models.CodeTokenMalformed:   http.StatusUnauthorized,
	models.CodeTokenInvalid:     http.StatusUnauthorized,
	models.CodeTokenExpired:     http.StatusUnauthorized,
	models.CodeNotAParticipant:  http.StatusForbidden,
	models.CodeChatNotFound:     http.StatusNotFound,
	models.CodeMessageNotFound:  http.StatusNotFound,
	models.CodeNotFound:         http.StatusNotFound,
	models.CodeMethodNotAllowed: http.StatusMethodNotAllowed,
	models.CodeInvalidChatID:    http.StatusBadRequest,
	models.CodeInvalidUserID:    http.StatusBadRequest,
	models.CodeInvalidCursor:    http.StatusBadRequest,
	models.CodeInvalidBody:      http.StatusBadRequest,
	models.CodeInvalidLimit:     http.StatusBadRequest,
	models.CodeEmptyMessage:     http.StatusBadRequest,
	models.CodeTextTooLong:      http.StatusBadRequest,
	models.CodeTooManyFiles:     http.StatusBadRequest,
	models.CodeFileTooLarge:     http.StatusRequestEntityTooLarge,
	models.CodeBodyTooLarge:     http.StatusRequestEntityTooLarge,
	models.CodeUploadStalled:    http.StatusRequestTimeout,
	models.CodeUnsupportedMedia: http.StatusUnsupportedMediaType,
	models.CodeRateLimited:      http.StatusTooManyRequests,
	models.CodeInProgress:       http.StatusConflict,
	models.CodeUnavailable:      http.StatusServiceUnavailable,
	models.CodeShuttingDown:     http.StatusServiceUnavailable,
	models.CodeInternal:         http.StatusInternalServerError,
}

// Fail answers with err and ends the request. What is not the client's doing is
// logged with its cause; the client is told the code and the sentence alone.
func (h *Handlers) Fail(c *gin.Context, err error) {
	e := models.AsError(err)
	status, known := statuses[e.Code]
	if !known {
		status = http.StatusInternalServerError
	}
	if status >= http.StatusInternalServerError {
		h.Logger.Warn("request failed", "method", c.Request.Method, "route", c.FullPath(), "code", e.Code, "error", err)
	}
	if h.Refused != nil {
		h.Refused(e.Code)
	}
	if e.RetryAfter > 0 {
		c.Header("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if e.Code == models.CodeUploadStalled || e.Code == models.CodeShuttingDown { // the rest of the body may still come
		c.Header("Connection", "close")
	}
	if status == http.StatusUnauthorized {
		c.Header("WWW-Authenticate", `Bearer realm="parley"`)
	}
	c.Abort()
	h.answer(c, status, gin.H{"error": errorOf(e)})
}

// answer writes the body as Express does, which escapes nothing for HTML's sake.
func (h *Handlers) answer(c *gin.Context, status int, body any) {
	text, err := h.JSON(make([]byte, 0, 512), body)
	if err != nil {
		h.Logger.Error("an answer could not be encoded", "route", c.FullPath(), "error", err)
		c.AbortWithStatus(http.StatusInternalServerError)
		return
	}
	c.Data(status, "application/json; charset=utf-8", text)
}

// errorJSON is the shape of a refusal in REST bodies, connect_error data and acks.
type errorJSON struct {
	Code    models.Code `json:"code"`
	Message string      `json:"message"`
}

func errorOf(e *models.Error) errorJSON { return errorJSON{e.Code, e.Message} }

// NotFound answers a path that does not exist. "OPTIONS *" asks whether there is
// a server at all.
func (h *Handlers) NotFound(c *gin.Context) {
	if c.Request.Method == http.MethodOptions && c.Request.RequestURI == "*" {
		c.AbortWithStatus(http.StatusNoContent)
		return
	}
	h.Fail(c, models.Refuse(models.CodeNotFound, "there is nothing at this path"))
}

// MethodNotAllowed answers a method the path does not have; the router has put
// those it has into Allow, which is all that OPTIONS asks for.
func (h *Handlers) MethodNotAllowed(c *gin.Context) {
	if c.Request.Method == http.MethodOptions {
		c.Header("Allow", c.Writer.Header().Get("Allow")+", OPTIONS")
		c.AbortWithStatus(http.StatusNoContent)
		return
	}
	h.Fail(c, models.Refuse(models.CodeMethodNotAllowed, "this path does not have this method"))
}
