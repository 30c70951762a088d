package handlers

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"parley/models"
)

// maxAsked is how many users one question may be about.
const maxAsked = 200

// Presence is POST /api/presence: of several users at once, for chats that are
// too large to be told who comes and goes.
func (h *Handlers) Presence(c *gin.Context) {
	var body struct {
		UserIDs []string `json:"userIds"`
	}
	if err := h.readJSON(c, &body); err != nil {
		h.Fail(c, err)
		return
	}
	if body.UserIDs == nil || len(body.UserIDs) > maxAsked {
		h.Fail(c, models.Refuse(models.CodeInvalidBody, fmt.Sprintf("userIds must be a list of at most %d user ids", maxAsked)))
		return
	}
	users := make([]models.UserID, len(body.UserIDs))
	for i, text := range body.UserIDs {
		u, ok := models.ParseUserID(text)
		if !ok {
			h.Fail(c, models.Refuse(models.CodeInvalidUserID, fmt.Sprintf("userIds[%d] is not a user id", i)))
			return
		}
		users[i] = u
	}
	ctx, cancel := h.deadline(c)
	defer cancel()
	all, err := h.Rooms.PresencesOf(ctx, h.User(c).UserID, users)
	if err != nil {
		h.Fail(c, err)
		return
	}
	list := make([]presenceJSON, len(all))
	for i, p := range all {
		list[i] = presenceOf(p)
	}
	h.answer(c, http.StatusOK, gin.H{"presence": list})
}
