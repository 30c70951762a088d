package handlers

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"parley/models"
)

// maxIdempotencyKey bounds the header; what it stands for is kept for ever.
const maxIdempotencyKey = 256

// PostMessage is POST /api/messages: store and deliver.
func (h *Handlers) PostMessage(c *gin.Context) {
	body := h.pace(c)
	key := c.GetHeader("Idempotency-Key")
	if len(key) > maxIdempotencyKey {
		h.refuseBody(c, body, models.Refuse(models.CodeInvalidBody, "Idempotency-Key is longer than 256 bytes"))
		return
	}
	draft, err := h.readDraft(c)
	if err != nil {
		h.refuseBody(c, body, err)
		return
	}
	draft.IdempotencyKey = key
	limit := h.Limits.RequestTimeout
	if len(draft.Files) > 0 { // they may have to travel on to a file store
		limit += h.Limits.KeepTimeout
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), limit)
	defer cancel()
	messages, err := h.Rooms.Send(ctx, draft)
	if err != nil {
		h.Fail(c, err)
		return
	}
	h.answer(c, http.StatusCreated, postedJSON{messagesOf(messages)})
}
