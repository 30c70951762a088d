package handlers

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"

	"github.com/gin-gonic/gin"

	"parley/models"
)

const (
	maxExtraParts = 64        // fields we do not know, and ignore
	bodyOverhead  = 256 << 10 // part headers and boundaries, fields we ignore
)

// readDraft reads a post in the form it came in. After an error nothing of it is
// kept.
func (h *Handlers) readDraft(c *gin.Context) (d models.Draft, err error) {
	d.SenderID = h.User(c).UserID
	defer func() {
		if err != nil {
			for _, f := range d.Files {
				f.Discard()
			}
		}
	}()
	if err := coded(c); err != nil {
		return d, err
	}
	f := form{h: h, c: c, draft: &d, seen: map[string]bool{}}
	defer f.leave()
	switch mediaType(c.GetHeader("Content-Type")) {
	case "multipart/form-data":
		err = f.multipart()
	case "application/json":
		err = f.json()
	case "application/x-www-form-urlencoded":
		err = f.urlencoded()
	default:
		err = models.Refuse(models.CodeUnsupportedMedia, "send multipart/form-data, or a text alone as application/json or application/x-www-form-urlencoded")
	}
	if err != nil {
		return d, err
	}
	return d, f.complete()
}

// limit bounds what is read of the body.
func (f *form) limit(n int64) {
	f.c.Request.Body = http.MaxBytesReader(f.c.Writer, f.c.Request.Body, n)
}

// multipart reads part by part as they arrive: fields in any order, files
// straight to the spool.
func (f *form) multipart() error {
	boundary, ok := parseBoundary(f.c.GetHeader("Content-Type"))
	if !ok {
		return models.Refuse(models.CodeInvalidBody, "the boundary in Content-Type is missing or cannot be read")
	}
	limits := f.h.Limits
	f.limit(limits.postBytes() + int64(limits.TextBytes) + bodyOverhead)
	body := multipart.NewReader(&ended{Reader: f.c.Request.Body, mark: []byte("--" + boundary + "--")}, boundary)
	for n := 1; ; n++ {
		part, err := body.NextPart()
		if errors.Is(err, io.EOF) {
			// What follows the last boundary means nothing, but has to be there.
			_, err := io.Copy(io.Discard, f.c.Request.Body)
			return bodyError(err)
		}
		if err != nil {
			return bodyError(fmt.Errorf("part %d: %w", n, err))
		}
		if n > limits.Files+maxExtraParts {
			return models.Refuse(models.CodeInvalidBody, "too many form fields")
		}
		if err := f.take(part, n); err != nil {
			return err
		}
	}
}

// ended is a multipart body that has to end with its last boundary. Package
// multipart takes some bodies that were cut off for whole ones.
type ended struct {
	io.Reader
	mark, tail []byte
}

// padding is how many blanks may stand behind the last boundary.
const padding = 64

func (e *ended) Read(b []byte) (int, error) {
	n, err := e.Reader.Read(b)
	e.tail = append(e.tail, b[:n]...)
	if most := len(e.mark) + padding; len(e.tail) > most {
		e.tail = append(e.tail[:0], e.tail[len(e.tail)-most:]...)
	}
	if errors.Is(err, io.EOF) && !bytes.HasSuffix(bytes.TrimRight(e.tail, " \t\r\n"), e.mark) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// take reads one part, the nth.
func (f *form) take(part *multipart.Part, n int) error {
	headers := part.Header["Content-Disposition"]
	d, ok := parseDisposition(headers)
	if !ok {
		return models.Refuse(models.CodeInvalidBody, fmt.Sprintf("the Content-Disposition of part %d cannot be read: %.100q", n, headers))
	}
	switch d.name {
	case "files", "files[]":
		return f.takeFile(part, d, n)
	case "chatId", "textMessage", "type":
		return f.takeField(part, d.name)
	}
	if d.filename != "" {
		return models.Refuse(models.CodeInvalidBody, fmt.Sprintf("send files in the field files, not %.40q", d.name))
	}
	_, err := io.Copy(io.Discard, part)
	return bodyError(err)
}

func (f *form) takeField(part *multipart.Part, name string) error {
	limit := maxFieldBytes
	if name == "textMessage" {
		limit = f.h.Limits.TextBytes
	}
	value, err := io.ReadAll(io.LimitReader(part, int64(limit)+1))
	if err != nil {
		return bodyError(err)
	}
	decoded, err := inUTF8(name, string(value), charsetOf(part.Header.Get("Content-Type")))
	if err != nil {
		return err
	}
	return f.field(name, decoded)
}

// takeFile reads what came as files. A file input that was left empty is none:
// browsers send it with an empty name and no content, scripts as the word for
// nothing.
func (f *form) takeFile(part *multipart.Part, d disposition, n int) error {
	if !d.file {
		word, err := io.ReadAll(io.LimitReader(part, maxFieldBytes))
		if err != nil {
			return bodyError(err)
		}
		if nothing(string(word)) {
			return nil
		}
		return models.Refuse(models.CodeInvalidBody, fmt.Sprintf("files must be files: part %d is a text, without a filename", n))
	}
	content := bufio.NewReaderSize(part, minBuffer)
	if d.filename == "" {
		// With content it is a file all the same: its name says nothing anyway.
		if _, err := content.Peek(1); errors.Is(err, io.EOF) {
			return nil
		}
	}
	if len(f.draft.Files) >= f.h.Limits.Files {
		return models.Refuse(models.CodeTooManyFiles, fmt.Sprintf("at most %d files can be sent at once", f.h.Limits.Files))
	}
	if err := f.authorise(); err != nil {
		return err
	}
	return f.receive(content, d.filename, part.Header.Get("Content-Type"))
}

// minBuffer is bufio's least: what is asked of a file in larger pieces passes by.
const minBuffer = 16

func (f *form) receive(content io.Reader, name, declared string) error {
	h, user := f.h, f.draft.SenderID
	if f.left == nil {
		leave, err := h.places.enter(user)
		if err != nil {
			return err
		}
		f.left = leave
	}
	ctx := f.c.Request.Context()
	s := &seat{places: h.places, user: user, file: content, ctx: ctx, patience: h.Limits.RequestTimeout, most: h.Limits.FileBytes}
	upload, err := h.Spool.Receive(ctx, s, name, declared, h.Limits.FileBytes)
	if err != nil {
		s.leave(nil)
		return bodyError(err)
	}
	s.leave(&upload)
	f.draft.Files = append(f.draft.Files, upload)
	return nil
}

// bodyError says what was wrong with a body that could not be read to its end;
// nil for nil.
func bodyError(err error) error {
	var refusal *models.Error
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal) && refusal.Code != models.CodeInternal:
		return refusal
	case errors.As(err, &tooLarge):
		return models.Refuse(models.CodeBodyTooLarge, fmt.Sprintf("the request is larger than %d bytes", tooLarge.Limit))
	}
	return &models.Error{Code: models.CodeInvalidBody, Message: "the body is malformed or incomplete", Err: err}
}
