package handlers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"time"

	"github.com/gin-gonic/gin"

	"parley/models"
)

const (
	maxFieldBytes = 1024      // chatId and type
	maxExtraParts = 64        // fields we do not know, and ignore
	bodyOverhead  = 256 << 10 // part headers and boundaries
	drainTimeout  = 5 * time.Second
)

// readDraft reads a multipart body as it arrives: fields in any order, files
// straight to the spool. After an error nothing of it is kept.
func (h *Handlers) readDraft(c *gin.Context) (d models.Draft, err error) {
	d.SenderID = h.User(c).UserID
	defer func() {
		if err != nil {
			for _, f := range d.Files {
				f.Discard()
			}
		}
	}()
	if media, _, _ := mime.ParseMediaType(c.GetHeader("Content-Type")); media != "multipart/form-data" {
		return d, models.Refuse(models.CodeUnsupportedMedia, "send multipart/form-data")
	}
	// A client that stops sending must not hold its place for ever.
	control := http.NewResponseController(c.Writer)
	if err := control.SetReadDeadline(time.Now().Add(h.Limits.UploadTimeout)); err == nil {
		defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	}
	limit := int64(h.Limits.Files)*h.Limits.FileBytes + int64(h.Limits.TextBytes) + bodyOverhead
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, limit)
	body, err := c.Request.MultipartReader()
	if err != nil {
		return d, models.Refuse(models.CodeInvalidBody, "the multipart body cannot be read: "+err.Error())
	}
	f := form{h: h, c: c, draft: &d}
	defer f.leave()
	for parts := 0; ; parts++ {
		part, err := body.NextPart()
		if errors.Is(err, io.EOF) {
			return d, f.complete()
		}
		if err != nil {
			return d, h.bodyError(err)
		}
		if parts > h.Limits.Files+maxExtraParts {
			return d, models.Refuse(models.CodeInvalidBody, "too many form fields")
		}
		if err := f.take(part); err != nil {
			return d, err
		}
	}
}

// form collects the fields of one request.
type form struct {
	h     *Handlers
	c     *gin.Context
	draft *models.Draft
	seen  map[string]bool
	// done gives the place among those who upload back; nil without one.
	done func()
}

// place waits for one of the places of those who upload files at once. Texts
// need none: it is the disk that is bounded here.
func (f *form) place(ctx context.Context) error {
	if f.done != nil {
		return nil
	}
	select {
	case f.h.uploads <- struct{}{}:
		f.done = func() { <-f.h.uploads }
		return nil
	case <-ctx.Done():
		return models.Unavailable("a place to upload", ctx.Err())
	}
}

// leave gives the place back.
func (f *form) leave() {
	if f.done != nil {
		f.done()
	}
}

func (f *form) take(part *multipart.Part) error {
	name := part.FormName()
	switch name {
	case "files", "files[]":
		return f.file(part)
	case "chatId", "textMessage", "type":
	default:
		if part.FileName() != "" {
			return models.Refuse(models.CodeInvalidBody, fmt.Sprintf("send files in the field files, not %.40q", name))
		}
		_, err := io.Copy(io.Discard, part)
		return f.h.bodyErrorOrNil(err)
	}
	if f.seen[name] {
		return models.Refuse(models.CodeInvalidBody, name+" was given twice")
	}
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	f.seen[name] = true
	limit := maxFieldBytes
	if name == "textMessage" {
		limit = f.h.Limits.TextBytes
	}
	value, err := io.ReadAll(io.LimitReader(part, int64(limit)+1))
	if err != nil {
		return f.h.bodyError(err)
	}
	return f.field(name, string(value), limit)
}

func (f *form) field(name, value string, limit int) error {
	switch name {
	case "textMessage":
		if len(value) > limit {
			return models.Refuse(models.CodeTextTooLong, fmt.Sprintf("textMessage is longer than %d bytes", limit))
		}
		f.draft.Text = value
	case "type":
		if _, ok := models.ParseMessageType(value); !ok {
			return models.Refuse(models.CodeInvalidType, "type must be text, image, video or audio")
		}
	case "chatId":
		id, ok := models.ParseChatID(value)
		if !ok {
			return models.Refuse(models.CodeInvalidChatID, "chatId must be 24 hex digits")
		}
		f.draft.ChatID = id
		// Known before the files, it saves a stranger's upload.
		ctx, cancel := f.h.deadline(f.c)
		defer cancel()
		return f.h.Rooms.Authorise(ctx, f.draft.SenderID, id)
	}
	return nil
}

func (f *form) file(part *multipart.Part) error {
	h := f.h
	if part.FileName() == "" {
		return models.Refuse(models.CodeInvalidBody, "files must be files, not text")
	}
	if len(f.draft.Files) >= h.Limits.Files {
		return models.Refuse(models.CodeTooManyFiles, fmt.Sprintf("at most %d files can be sent at once", h.Limits.Files))
	}
	ctx, cancel := context.WithTimeout(f.c.Request.Context(), h.Limits.UploadTimeout)
	defer cancel()
	if err := f.place(ctx); err != nil {
		return err
	}
	upload, err := h.Spool.Receive(ctx, part, part.FileName(), part.Header.Get("Content-Type"), h.Limits.FileBytes)
	if err != nil {
		var refusal *models.Error
		if errors.As(err, &refusal) && refusal.Code != models.CodeInternal {
			return err
		}
		return h.bodyError(err)
	}
	f.draft.Files = append(f.draft.Files, upload)
	return nil
}

func (f *form) complete() error {
	if f.draft.ChatID == "" {
		return models.Refuse(models.CodeInvalidChatID, "chatId is missing")
	}
	return nil
}

func (h *Handlers) bodyErrorOrNil(err error) error {
	if err == nil {
		return nil
	}
	return h.bodyError(err)
}

// bodyError says what was wrong with a body that could not be read to its end.
func (h *Handlers) bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return models.Refuse(models.CodeBodyTooLarge, fmt.Sprintf("the request is larger than %d bytes", tooLarge.Limit))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return models.Refuse(models.CodeInvalidBody, "the request took too long to arrive")
	}
	return models.Refuse(models.CodeInvalidBody, "the multipart body is malformed or incomplete")
}

// refuseUpload answers after reading on for a little: a client that is still
// sending would take the closing of its connection for a network error and
// never see why it was refused.
func (h *Handlers) refuseUpload(c *gin.Context, err error) {
	control := http.NewResponseController(c.Writer)
	if control.SetReadDeadline(time.Now().Add(drainTimeout)) == nil {
		_, _ = io.Copy(io.Discard, c.Request.Body)
		_ = control.SetReadDeadline(time.Time{})
	}
	h.Fail(c, err)
}
