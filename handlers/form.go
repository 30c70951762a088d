package handlers

import (
	"fmt"
	"strings"

	"github.com/gin-gonic/gin"

	"parley/models"
)

const maxFieldBytes = 1024 // chatId and type

// form collects the fields of one post, however it was spelled.
type form struct {
	h     *Handlers
	c     *gin.Context
	draft *models.Draft
	seen  map[string]bool
	types []string // in the order they came
	// left ends the upload; nil where no file came.
	left func()
	// mayPost says that the sender may post to the chat.
	mayPost bool
}

// leave says that nothing more is received.
func (f *form) leave() {
	if f.left != nil {
		f.left()
	}
}

// field takes one field's value.
func (f *form) field(name, value string) error {
	if name == "type" { // a hint, which may come for each file
		f.types = append(f.types, value)
		return nil
	}
	if f.seen[name] {
		return models.Refuse(models.CodeInvalidBody, name+" was given twice")
	}
	f.seen[name] = true
	switch name {
	case "textMessage":
		if limit := f.h.Limits.TextBytes; len(value) > limit {
			return models.Refuse(models.CodeTextTooLong, fmt.Sprintf("textMessage is longer than %d bytes", limit))
		}
		f.draft.Text = value
	case "chatId":
		id, ok := models.ParseChatID(value)
		if !ok {
			return models.Refuse(models.CodeInvalidChatID, "chatId must be 24 hex digits")
		}
		f.draft.ChatID = id
	}
	return nil
}

// authorise saves a stranger's upload, where the chat is known before a file. It
// decides nothing: what is true once all has come is for Send to find out, and
// of a text that is the one time it is asked.
func (f *form) authorise() error {
	if f.mayPost || f.draft.ChatID == "" {
		return nil
	}
	ctx, cancel := f.h.deadline(f.c)
	defer cancel()
	err := f.h.Rooms.Authorise(ctx, f.draft.SenderID, f.draft.ChatID)
	f.mayPost = err == nil
	return err
}

func (f *form) complete() error {
	if f.draft.ChatID == "" {
		return models.Refuse(models.CodeInvalidChatID, "chatId is missing")
	}
	for i, file := range f.draft.Files {
		if hint := f.hint(i); file.Either && hint != "" {
			f.draft.Files[i].Type = hint
		}
	}
	return nil
}

// hint is what the client's type fields say of the ith file: each its own where
// there are as many as files, else the one thing they say. They may hold
// anything, and only audio and video mean something.
func (f *form) hint(i int) models.MessageType {
	if len(f.types) == len(f.draft.Files) {
		return family(f.types[i])
	}
	var said models.MessageType
	for _, t := range f.types {
		switch hint := family(t); {
		case hint == "" || hint == said:
		case said == "":
			said = hint
		default: // both
			return ""
		}
	}
	return said
}

// family reads audio or video out of any spelling: "Audio", "video/webm".
func family(hint string) models.MessageType {
	word, _, _ := strings.Cut(hint, "/")
	if t := models.MessageType(strings.ToLower(strings.TrimSpace(word))); t == models.Audio || t == models.Video {
		return t
	}
	return ""
}

// nothing says that a field for files holds the word a script's empty value
// turns into.
func nothing(value string) bool {
	switch strings.TrimSpace(value) {
	case "", "undefined", "null", "false", "[]":
		return true
	}
	return false
}
