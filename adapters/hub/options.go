package hub

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"parley/adapters/cluster"
	"parley/models"
)

// Options says how a Server behaves. The zero value of a field is its default.
type Options struct {
	Path string // "/socket.io": where the transports and the Assets are
	// Waited says, by the context of a request, whether its connection has waited for
	// its turn (Server.Turn), so that the request need not; nil for none has.
	Waited       func(context.Context) bool
	PingInterval time.Duration // 25 s
	PingTimeout  time.Duration // 20 s
	// ConnectTimeout is how long a connection may go without a CONNECT, and then
	// that CONNECT without an answer; 45 s, as Node's.
	ConnectTimeout   time.Duration
	HandshakeTimeout time.Duration // 10 s: how long OnConnect may take, each time
	LetInAtOnce      int           // 256: how many OnConnect run side by side; the others wait in line
	MaxPayload       int64         // 1,000,000 bytes a frame or a polling body

	// CORSOrigins is empty for no CORS headers at all, "*" alone for any origin
	// without credentials, else the exact origins, with credentials.
	CORSOrigins []string
	AllowEIO3   bool
	// Msgpack speaks the format of socket.io-msgpack-parser, as clients then must
	// too, instead of the stock one.
	Msgpack bool
	// Recovery lets clients that return say what they were sent last.
	Recovery bool

	// MaxBacklogBytes is what may wait for one socket before it is cut off
	// ("slow_client"); 4 MiB. Its own welcome backlog does not count.
	MaxBacklogBytes int
	// MaxHeld is how many packets may wait for one socket at the door before it
	// is cut off ("door_overflow"); 2,000.
	MaxHeld int
	// RememberFor is how long an emitted new_message is remembered, at least, so
	// that a repetition is not sent again; 30 s.
	RememberFor time.Duration

	// Marks says how far this pod has heard all pods; nil for nobody knows.
	Marks Marks
	// Bus reaches the other pods; nil for a pod alone.
	Bus cluster.Bus
	// Encode spells an event for the client; the payload is what package js makes
	// an object of, its members in their order.
	Encode func(models.Event) (name string, payload any)
	// MessageID recognises a new_message, also one that came from another pod;
	// objects among args are of package js.
	MessageID func(event string, args []any) (models.MessageID, bool)
	// MadeAt says when the message of a new_message was made; zero where its args
	// do not say.
	MadeAt func(args []any) time.Time
	// Assets serves what is asked for below Path by a file name; nil
	// answers 404.
	Assets http.Handler

	Logger  *slog.Logger
	Metrics Metrics
	Now     func() time.Time
}

// Marks is how far this pod has heard all pods, zero where that is not known.
type Marks interface {
	// Heard is a time such that all messages stamped before were given to this Server.
	Heard() time.Time
	// HeardAt is what it was at that moment.
	HeardAt(at time.Time) time.Time
}

type unmarked struct{}

func (unmarked) Heard() time.Time            { return time.Time{} }
func (unmarked) HeardAt(time.Time) time.Time { return time.Time{} }

// Metrics is told what happened to sockets.
type Metrics interface {
	SocketOpened()
	SocketClosed(reason string)
	// Waiting changes how many sockets wait at the door, being let in included.
	Waiting(change int)
	// NotLetIn counts tries to let a socket in that failed for a reason of ours.
	// It is tried again.
	NotLetIn(reason string)
	// Refused counts CONNECTs answered with connect_error, by code.
	Refused(code string)
	// Delivered counts packets handed to this pod's sockets.
	Delivered(n int)
	// Duplicate counts repeated new_message emissions that were not sent again.
	Duplicate()
	// Cut counts connections this pod ended, by reason.
	Cut(reason string)
	Panicked()
}

const (
	maxEvents     = 256 // events of one socket waiting for their handler
	maxSeen       = 2000
	maxGiven      = 200 // messages of a backlog remembered for good
	maxRecent     = 512 // new_message ids remembered for one room
	minRecent     = 32  // … of which so many however old
	leaversAtOnce = 256
	leaveTimeout  = 30 * time.Second
	// farewell is how long a connection that is sent off may take for what is
	// queued.
	farewell       = 2 * time.Second
	clusterTimeout = 5 * time.Second
)

func (o Options) withDefaults() (Options, error) {
	setDuration := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	setDuration(&o.PingInterval, 25*time.Second)
	setDuration(&o.PingTimeout, 20*time.Second)
	setDuration(&o.ConnectTimeout, 45*time.Second)
	setDuration(&o.HandshakeTimeout, 10*time.Second)
	setDuration(&o.RememberFor, 30*time.Second)
	if o.LetInAtOnce <= 0 {
		o.LetInAtOnce = 256
	}
	if o.Path == "" {
		o.Path = "/socket.io"
	}
	if o.MaxPayload <= 0 {
		o.MaxPayload = 1_000_000
	}
	if o.MaxBacklogBytes <= 0 {
		o.MaxBacklogBytes = 4 << 20
	}
	if o.MaxHeld <= 0 {
		o.MaxHeld = 2000
	}
	if len(o.CORSOrigins) > 1 && slices.Contains(o.CORSOrigins, "*") {
		return o, errors.New("hub: \"*\" cannot stand beside other CORS origins")
	}
	if o.Encode == nil {
		return o, errors.New("hub: Options.Encode is missing")
	}
	if o.MadeAt == nil {
		o.MadeAt = func([]any) time.Time { return time.Time{} }
	}
	if o.MessageID == nil {
		o.MessageID = func(string, []any) (models.MessageID, bool) { return "", false }
	}
	if o.Marks == nil {
		o.Marks = unmarked{}
	}
	if o.Bus == nil {
		o.Bus = alone{}
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

func (unmeasured) SocketOpened()       {}
func (unmeasured) SocketClosed(string) {}
func (unmeasured) Waiting(int)         {}
func (unmeasured) NotLetIn(string)     {}
func (unmeasured) Refused(string)      {}
func (unmeasured) Delivered(int)       {}
func (unmeasured) Duplicate()          {}
func (unmeasured) Cut(string)          {}
func (unmeasured) Panicked()           {}
