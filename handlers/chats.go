package handlers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"parley/models"
)

const (
	maxJSONBytes = 256 << 10
	defaultPage  = 50
	maxPage      = 200
	maxChats     = 1000
)

// ListChats is GET /api/chats.
func (h *Handlers) ListChats(c *gin.Context) {
	page, err := chatPageQuery(c)
	if err != nil {
		h.Fail(c, err)
		return
	}
	ctx, cancel := h.deadline(c)
	defer cancel()
	chats, next, err := h.Rooms.ChatsOf(ctx, h.User(c).UserID, page)
	if err != nil {
		h.Fail(c, err)
		return
	}
	body := chatsJSON{Chats: make([]chatJSON, len(chats))}
	for i, chat := range chats {
		body.Chats[i] = chatOf(chat)
	}
	if next != "" {
		body.Next = &next
	}
	h.answer(c, http.StatusOK, body)
}

// CreateChat is POST /api/chats.
func (h *Handlers) CreateChat(c *gin.Context) {
	var body struct {
		Participants []string `json:"participants"`
		Name         string   `json:"name"`
	}
	if err := h.readJSON(c, &body); err != nil {
		h.Fail(c, err)
		return
	}
	participants := make([]models.UserID, len(body.Participants))
	for i, p := range body.Participants {
		u, ok := models.ParseUserID(p)
		if !ok {
			h.Fail(c, models.Refuse(models.CodeInvalidUserID, fmt.Sprintf("participants[%d] is not a user id", i)))
			return
		}
		participants[i] = u
	}
	if len(participants) == 0 {
		h.Fail(c, models.Refuse(models.CodeInvalidBody, "participants must name at least one user"))
		return
	}
	ctx, cancel := h.deadline(c)
	defer cancel()
	chat, err := h.Rooms.CreateChat(ctx, h.User(c).UserID, participants, body.Name)
	if err != nil {
		h.Fail(c, err)
		return
	}
	h.answer(c, http.StatusCreated, gin.H{"chat": chatOf(chat)})
}

// AddParticipant is POST /api/chats/:chatId/participants, with the user in the
// body, or in the path as in DELETE.
func (h *Handlers) AddParticipant(c *gin.Context) {
	if c.Param("userId") != "" {
		h.changeParticipant(c, c.Param("userId"), true)
		return
	}
	var body struct {
		UserID string `json:"userId"`
	}
	if err := h.readJSON(c, &body); err != nil {
		h.Fail(c, err)
		return
	}
	h.changeParticipant(c, body.UserID, true)
}

// RemoveParticipant is DELETE /api/chats/:chatId/participants/:userId.
func (h *Handlers) RemoveParticipant(c *gin.Context) {
	h.changeParticipant(c, c.Param("userId"), false)
}

func (h *Handlers) changeParticipant(c *gin.Context, name string, add bool) {
	id, err := chatParam(c)
	if err != nil {
		h.Fail(c, err)
		return
	}
	user, ok := models.ParseUserID(name)
	if !ok {
		h.Fail(c, models.Refuse(models.CodeInvalidUserID, "userId is missing or not a user id"))
		return
	}
	change := h.Rooms.RemoveParticipant
	if add {
		change = h.Rooms.AddParticipant
	}
	ctx, cancel := h.deadline(c)
	defer cancel()
	chat, err := change(ctx, h.User(c).UserID, id, user)
	if err != nil {
		h.Fail(c, err)
		return
	}
	h.answer(c, http.StatusOK, gin.H{"chat": chatOf(chat)})
}

// History is GET /api/chats/:chatId/messages.
func (h *Handlers) History(c *gin.Context) {
	id, err := chatParam(c)
	if err != nil {
		h.Fail(c, err)
		return
	}
	page, err := pageQuery(c)
	if err != nil {
		h.Fail(c, err)
		return
	}
	ctx, cancel := h.deadline(c)
	defer cancel()
	messages, next, err := h.Rooms.History(ctx, h.User(c).UserID, id, page)
	if err != nil {
		h.Fail(c, err)
		return
	}
	body := historyJSON{Messages: messagesOf(messages)}
	if next != "" {
		body.Next = &next
	}
	h.answer(c, http.StatusOK, body)
}

// Online is GET /api/users/:userId/online.
func (h *Handlers) Online(c *gin.Context) {
	user, ok := models.ParseUserID(c.Param("userId"))
	if !ok {
		h.Fail(c, models.Refuse(models.CodeInvalidUserID, "this is not a user id"))
		return
	}
	ctx, cancel := h.deadline(c)
	defer cancel()
	p, err := h.Rooms.PresenceOf(ctx, h.User(c).UserID, user)
	if err != nil {
		h.Fail(c, err)
		return
	}
	h.answer(c, http.StatusOK, presenceOf(p))
}

func chatParam(c *gin.Context) (models.ChatID, error) {
	id, ok := models.ParseChatID(c.Param("chatId"))
	if !ok {
		return "", models.Refuse(models.CodeInvalidChatID, "chatId must be 24 hex digits")
	}
	return id, nil
}

func pageQuery(c *gin.Context) (models.Page, error) {
	page := models.Page{}
	for name, cursor := range map[string]*models.MessageID{"before": &page.Before, "after": &page.After} {
		value := c.Query(name)
		if value == "" {
			continue
		}
		id, ok := models.ParseMessageID(value)
		if !ok {
			return page, models.Refuse(models.CodeInvalidCursor, name+" must be the _id of a message")
		}
		*cursor = id
	}
	limit, err := limitQuery(c, defaultPage, maxPage)
	page.Limit = limit
	return page, err
}

func chatPageQuery(c *gin.Context) (page models.ChatPage, err error) {
	if value := c.Query("before"); value != "" {
		id, ok := models.ParseChatID(value)
		if !ok {
			return page, models.Refuse(models.CodeInvalidCursor, "before must be the _id of a chat")
		}
		page.Before = id
	}
	page.Limit, err = limitQuery(c, maxChats, maxChats)
	return page, err
}

func limitQuery(c *gin.Context, otherwise, most int) (int, error) {
	value := c.Query("limit")
	if value == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > most {
		return 0, models.Refuse(models.CodeInvalidLimit, fmt.Sprintf("limit must be a whole number from 1 to %d", most))
	}
	return n, nil
}

// readJSON reads a small JSON object and nothing behind it.
func (h *Handlers) readJSON(c *gin.Context, into any) error {
	if err := coded(c); err != nil {
		return err
	}
	decoder := json.NewDecoder(http.MaxBytesReader(c.Writer, h.pace(c), maxJSONBytes))
	err := decoder.Decode(into)
	shape := "the body must be a JSON object of the documented shape"
	if err == nil {
		shape = "there is something behind the JSON object"
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			return nil
		}
	}
	if code := models.CodeOf(err); code == models.CodeUploadStalled || code == models.CodeShuttingDown {
		return err
	}
	return models.Refuse(models.CodeInvalidBody, shape)
}
