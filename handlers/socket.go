package handlers

import (
	"context"

	"parley/models"
	"parley/rooms"
)

// Door is a socket that asks to be let in, with what it said in its handshake.
type Door interface {
	rooms.Door
	// Token is auth.token as the client sent it.
	Token() (token any, present bool)
}

// Socket is one that was let in.
type Socket interface {
	ID() models.SocketID
	UserID() models.UserID
}

// Authenticate says whose socket is at the door.
func (h *Handlers) Authenticate(ctx context.Context, door Door) (models.Identity, error) {
	token, present := door.Token()
	return h.Verifier.Verify(ctx, token, present)
}

// Connect lets the user's socket in; the backlog is what it is sent first.
func (h *Handlers) Connect(ctx context.Context, user models.UserID, door rooms.Door) ([]models.Event, error) {
	return h.Rooms.Connect(ctx, user, door)
}

// Disconnect takes a socket that left out of presence.
func (h *Handlers) Disconnect(ctx context.Context, d models.Departure) { h.Rooms.Disconnect(ctx, d) }

// Typing is the event typing { chatId, isTyping }.
func (h *Handlers) Typing(_ context.Context, s Socket, args []any) any {
	body, chat, err := chatEvent(args)
	if err != nil {
		return h.nack(err)
	}
	isTyping, ok := body["isTyping"].(bool)
	if !ok {
		return h.nack(models.Refuse(models.CodeInvalidBody, "isTyping must be true or false"))
	}
	return h.ackOf(h.Rooms.Typing(s.UserID(), s.ID(), chat, isTyping))
}

// MarkRead is the event mark_read { chatId, messageId }.
func (h *Handlers) MarkRead(ctx context.Context, s Socket, args []any) any {
	body, chat, err := chatEvent(args)
	if err != nil {
		return h.nack(err)
	}
	raw, _ := body["messageId"].(string)
	message, ok := models.ParseMessageID(raw)
	if !ok {
		return h.nack(models.Refuse(models.CodeInvalidBody, "messageId must be 24 hex digits"))
	}
	ctx, cancel := context.WithTimeout(ctx, h.Limits.RequestTimeout)
	defer cancel()
	return h.ackOf(h.Rooms.MarkRead(ctx, s.UserID(), s.ID(), chat, message))
}

// TooFast is the answer to an event beyond the socket's rate.
func (h *Handlers) TooFast() any {
	return h.nack(models.Refuse(models.CodeRateLimited, "too many events; slow down"))
}

// chatEvent reads the one object argument such an event has.
func chatEvent(args []any) (map[string]any, models.ChatID, error) {
	var body map[string]any
	if len(args) > 0 {
		body, _ = args[0].(map[string]any)
	}
	if body == nil {
		return nil, "", models.Refuse(models.CodeInvalidBody, "the event takes one object")
	}
	raw, _ := body["chatId"].(string)
	chat, ok := models.ParseChatID(raw)
	if !ok {
		return nil, "", models.Refuse(models.CodeInvalidChatID, "chatId must be 24 hex digits")
	}
	return body, chat, nil
}

// ackJSON is the answer to an event.
type ackJSON struct {
	OK    bool       `json:"ok"`
	Error *errorJSON `json:"error,omitempty"`
}

func (h *Handlers) ackOf(err error) any {
	if err != nil {
		return h.nack(err)
	}
	return ackJSON{OK: true}
}

func (h *Handlers) nack(err error) any {
	e := models.AsError(err)
	if h.Refused != nil {
		h.Refused(e.Code)
	}
	if e.Code == models.CodeInternal || e.Code == models.CodeUnavailable {
		h.Logger.Warn("event failed", "code", e.Code, "error", err)
	}
	refused := errorOf(e)
	return ackJSON{Error: &refused}
}
