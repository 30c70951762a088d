// Package handlers is where the outside speaks to Parley: REST requests and
// Socket.IO events. It decodes, calls rooms, and encodes.
//
// It owns every JSON shape and every status code, and refuses to decide
// anything: what may be done is for package rooms to say.
package handlers

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"parley/models"
	"parley/rooms"
)

// Spool receives an uploaded file in full before anything is made of it.
type Spool interface {
	Receive(ctx context.Context, r io.Reader, name, declaredMIME string, maxBytes int64) (models.Upload, error)
}

// Verifier says whom a token speaks for.
type Verifier interface {
	Verify(ctx context.Context, raw any, present bool) (models.Identity, error)
}

// Options are what Handlers are made of.
type Options struct {
	Rooms    *rooms.Service
	Spool    Spool
	Verifier Verifier
	// User returns the identity the authentication middleware put there.
	User   func(*gin.Context) models.Identity
	Logger *slog.Logger
	Limits Limits
	// JSON appends a value as Node spells it.
	JSON func(b []byte, v any) ([]byte, error)
	// Refused counts refusals by code.
	Refused func(code models.Code)
	// Checks are what must answer before this pod takes traffic, by name.
	Checks map[string]func(context.Context) error
	// Sockets counts this pod's: those inside and those that wait at the door.
	Sockets func() (inside, waiting int)
}

// Limits bound one request.
type Limits struct {
	TextBytes      int
	FileBytes      int64
	Files          int
	Uploads        int           // written to disk at once; places says what else
	RequestTimeout time.Duration // reading and writing the database
	UploadTimeout  time.Duration // a client's silence in the middle of a body
	KeepTimeout    time.Duration // handing received files on to where they are kept
}

// postBytes are the files of the largest post.
func (l Limits) postBytes() int64 { return int64(l.Files) * l.FileBytes }

// Handlers hold the handlers.
type Handlers struct {
	Options
	places *places
	bodies sync.Map // *paced, under way
}

// New makes Handlers.
func New(o Options) *Handlers {
	return &Handlers{Options: o, places: newPlaces(o.Limits.Uploads, o.Limits.postBytes())}
}

// deadline bounds the database work of a request.
func (h *Handlers) deadline(c *gin.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.Request.Context(), h.Limits.RequestTimeout)
}
