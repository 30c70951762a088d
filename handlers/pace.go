package handlers

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"parley/models"
)

const (
	// slowest is what a body has to make on average, in bytes a second: less than
	// any telephone network. Without it a byte before each silence ends would hold
	// a connection for ever.
	slowest = 1 << 10
	// spare is how many silences it may lose before the average counts.
	spare = 4
	// drainTimeout is how long a body that was refused is read on.
	drainTimeout = 5 * time.Second
)

// paced is a request body that may take as long as it likes while it makes
// progress. Only the time spent waiting for the client counts: not that in which
// we were busy with what had come.
type paced struct {
	io.ReadCloser
	deadline func(time.Time) error
	silence  time.Duration // the longest without a byte
	waited   time.Duration
	read     int64
	end      time.Time // of reading on; zero before
	whole    bool

	mu  sync.Mutex
	cut bool // this pod waits no longer
}

// Pace stands before every handler: a body that nobody reads, because the
// request is refused without it, is under the clock, too.
func (h *Handlers) Pace(c *gin.Context) {
	if c.Request.ContentLength == 0 {
		return
	}
	p := h.pace(c)
	p.arm(p.silence)
	h.bodies.Store(p, nil)
	defer h.bodies.Delete(p)
	c.Next()
}

// CutBodies gives up on what clients have not sent by now: a pod that shuts down
// finishes what it was given whole. They are told to try again.
func (h *Handlers) CutBodies() {
	h.bodies.Range(func(p, _ any) bool {
		p.(*paced).giveUp()
		return true
	})
}

func (p *paced) giveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut = !p.whole; p.cut {
		_ = p.deadline(past)
	}
}

// past is a deadline that ends reading at once.
var past = time.Unix(1, 0)

// arm sets the deadline, unless the body was cut. It fails where the connection
// is gone, and then so does reading.
func (p *paced) arm(left time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.cut {
		_ = p.deadline(time.Now().Add(left))
	}
}

// pace puts the request's body under its clock, once.
func (h *Handlers) pace(c *gin.Context) *paced {
	if p, already := c.Request.Body.(*paced); already {
		return p
	}
	p := &paced{
		ReadCloser: c.Request.Body, silence: h.Limits.UploadTimeout,
		deadline: http.NewResponseController(c.Writer).SetReadDeadline,
	}
	c.Request.Body = p
	return p
}

// left is how long the client may take for its next byte.
func (p *paced) left() time.Duration {
	if !p.end.IsZero() {
		return time.Until(p.end)
	}
	earned := time.Duration(p.read/slowest) * time.Second
	return min(p.silence, spare*p.silence+earned-p.waited)
}

func (p *paced) Read(b []byte) (int, error) {
	began, left := time.Now(), p.left()
	if left <= 0 {
		return 0, stalled()
	}
	p.arm(left)
	n, err := p.ReadCloser.Read(b)
	p.waited += time.Since(began)
	p.read += int64(n)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, p.late()
	case errors.Is(err, io.EOF):
		p.ended()
	}
	return n, err
}

// ended takes the deadline away: from here on the server waits for the client to
// hang up.
func (p *paced) ended() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.whole, p.cut = true, false
	_ = p.deadline(time.Time{})
}

func (p *paced) late() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		return &models.Error{Code: models.CodeShuttingDown, Message: "this server is shutting down; try again", RetryAfter: time.Second}
	}
	return stalled()
}

// stalled is 408 and not 503: the network between is slow, not this pod, and a
// balancer that counts 503s must not take the pod for a sick one.
func stalled() error {
	return &models.Error{Code: models.CodeUploadStalled, Message: "the request stopped arriving; send it again", RetryAfter: time.Second}
}

// drain reads on for a little: a client that is still sending would take the
// closing of its connection for a network error and never see why it was
// refused. It says whether the connection can be used again; if not, the
// deadline that has passed keeps the server from waiting for the rest.
func (p *paced) drain() bool {
	if !p.whole {
		p.end = time.Now().Add(drainTimeout)
		_, _ = io.Copy(io.Discard, p)
		if !p.whole {
			_ = p.deadline(past)
		}
	}
	return p.whole
}

// refuseBody answers a request whose body may not have been read to its end.
func (h *Handlers) refuseBody(c *gin.Context, p *paced, err error) {
	// Nothing more is expected after the two that end the connection anyway.
	code := models.CodeOf(err)
	if code != models.CodeUploadStalled && code != models.CodeShuttingDown && !p.drain() {
		c.Header("Connection", "close")
	}
	h.Fail(c, err)
}

// coded refuses bodies in a Content-Encoding, which would have to be unpacked
// within limits of their own.
func coded(c *gin.Context) error {
	coding := mediaType(c.GetHeader("Content-Encoding"))
	if coding == "" || coding == "identity" {
		return nil
	}
	c.Header("Accept-Encoding", "identity")
	return models.Refuse(models.CodeUnsupportedMedia, "a body with a Content-Encoding is not read: send it as it is")
}
