package engineio

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"
)

// Handler is told what happens to sessions. For one session Open comes first,
// then its messages in their order, then Close, exactly once; never two at a
// time. A slow handler holds up its own session alone. A panic is logged and
// ends the session.
type Handler interface {
	Open(s *Session)
	// Message hands over one message. data is the handler's until it returns.
	Message(s *Session, data []byte, binary bool)
	// Close says that s has ended and why; err, if any, has the details, and is a
	// *CloseError where a WebSocket ended with a code.
	Close(s *Session, reason Reason, err error)
}

// Transport names, as in Options.Transports and Session.Transport.
const (
	Polling   = "polling"
	WebSocket = "websocket"
)

// Options says how a Server behaves. The zero value of a field is its default.
type Options struct {
	PingInterval   time.Duration // 25 s
	PingTimeout    time.Duration // 20 s
	UpgradeTimeout time.Duration // 10 s
	CloseTimeout   time.Duration // 30 s: how long Session.Close waits for the client to take what is queued
	IOTimeout      time.Duration // 30 s: for one polling body in, one answer out, or any progress of a WebSocket

	MaxPayload int64 // 1,000,000 bytes a message or a polling body
	MaxBacklog int   // 4 MiB may wait for one session before it is cut off as a SlowClient

	AllowEIO3  bool     // lets clients of protocol 3 in
	Transports []string // Polling and WebSocket
	CORS       CORS

	// CompressAbove is from how many bytes on a polling answer is compressed for
	// those who take gzip; 1,024, negative for never.
	CompressAbove int

	// AllowRequest may turn a new session away: its error is told to the client,
	// with 403 and code 4.
	AllowRequest func(*http.Request) error
	// Describe is asked once for each new session; what it returns is kept as
	// Session.Description. It should keep nothing of the request itself.
	Describe func(*http.Request) any
	// NewID makes the id of a session; 20 random characters. One that is taken is
	// asked for again.
	NewID func() string

	Logger  *slog.Logger
	Metrics Metrics
	// Now is the clock that measures heartbeats; it must run as fast as time does.
	Now func() time.Time
}

// Metrics is told what happens, in passing: it must not block.
type Metrics interface {
	Opened(protocol int, transport string)
	Upgraded()
	UpgradeFailed(reason Reason)
	Closed(reason Reason)
	// Refused counts requests that were answered with an error, by its code.
	Refused(code int)
	Panicked()
}

func (o Options) withDefaults() (Options, error) {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.PingInterval, 25 * time.Second}, {&o.PingTimeout, 20 * time.Second}, {&o.UpgradeTimeout, 10 * time.Second},
		{&o.CloseTimeout, 30 * time.Second}, {&o.IOTimeout, 30 * time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if o.MaxPayload <= 0 {
		o.MaxPayload = 1_000_000
	}
	if o.MaxBacklog <= 0 {
		o.MaxBacklog = 4 << 20
	}
	if o.CompressAbove == 0 {
		o.CompressAbove = 1024
	}
	if o.Transports == nil {
		o.Transports = []string{Polling, WebSocket}
	}
	for _, name := range o.Transports {
		if name != Polling && name != WebSocket {
			return o, errors.New("engineio: there is no transport " + name)
		}
	}
	if slices.Contains(o.CORS.Origins, "*") && len(o.CORS.Origins) > 1 {
		return o, errors.New("engineio: \"*\" cannot stand beside other CORS origins")
	}
	if o.NewID == nil {
		o.NewID = newID
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = unmeasured{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}

type unmeasured struct{}

func (unmeasured) Opened(int, string)   {}
func (unmeasured) Upgraded()            {}
func (unmeasured) UpgradeFailed(Reason) {}
func (unmeasured) Closed(Reason)        {}
func (unmeasured) Refused(int)          {}
func (unmeasured) Panicked()            {}
