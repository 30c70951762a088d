package server

import (
	"crypto"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// The values of SOCKETIO_ADAPTER: how pods tell one another what to deliver.
const (
	AdapterRedis   = "redis"
	AdapterSharded = "redis-sharded"
	AdapterStreams = "redis-streams"
)

// The values of LOG_FORMAT.
const (
	LogAuto = "auto"
	LogText = "text"
	LogJSON = "json"
)

// The values of SOCKETIO_PARSER: how packets to and from clients are spelled.
const (
	ParserJSON    = "json"
	ParserMsgpack = "msgpack"
)

// minSecretBytes is the key length RFC 7518 asks of HS256.
const minSecretBytes = 32

// Config is every setting of a pod, checked. Load makes one; settings says what
// each field is called outside, what it may be and what it means.
type Config struct {
	Host          string // empty: all interfaces
	Port          int    // 0: a free one
	PublicURL     string // without a trailing slash
	CORSOrigins   []string
	SocketIOPath  string // without a trailing slash
	TrustedNets   []netip.Prefix
	JWTSecret     string
	JWTAlgorithms []string
	JWTPublicKey  string // PEM, or the name of a file of it
	JWTKeySetURL  string
	JWTUserClaim  string
	JWTIssuers    []string
	JWTAudiences  []string
	JWTLeeway     time.Duration
	MongoURI      string
	RedisURL      string
	Adapter       string
	CloudinaryURL string
	DataDir       string
	PodID         string
	AllowEIO3     bool
	Parser        string
	LogLevel      slog.Level
	LogFormat     string

	MaxTextBytes    int
	MaxFileBytes    int64
	MaxFiles        int
	MaxPayloadBytes int64
	MaxUploads      int
	MessagesPerSec  int // posts a second and user
	MessagesBurst   int
	EventsPerSec    int // client events a second and socket
	ReplayLimit     int // 0: no replay
	PresenceRoom    int // participants
	DrainBatch      int // sockets
	PingInterval    time.Duration
	PingTimeout     time.Duration
	ConnectTimeout  time.Duration
	PresenceTTL     time.Duration
	PresenceGrace   time.Duration
	StrangerTTL     time.Duration
	ReplayGrace     time.Duration
	RecoveryWindow  time.Duration // 0: no recovery
	RequestTimeout  time.Duration
	RedisTimeout    time.Duration
	UploadTimeout   time.Duration
	ShutdownTimeout time.Duration
	DrainPause      time.Duration
	ReadyDelay      time.Duration

	// Out is where the embedded mode says how to try it; nil: nowhere. It is no
	// setting: main decides.
	Out io.Writer

	publicKey        crypto.PublicKey // what JWTPublicKey holds
	secretsFromFlags []string         // names of flags, for Warnings
}

// EmbeddedMongo says that the database runs inside this process.
func (c Config) EmbeddedMongo() bool { return c.MongoURI == "" }

// EmbeddedRedis says that Redis runs inside this process.
func (c Config) EmbeddedRedis() bool { return c.RedisURL == "" }

// Embedded says that nothing outside this process is used: the mode for trying
// Parley out, which needs no secret and listens on loopback unless told otherwise.
func (c Config) Embedded() bool { return c.EmbeddedMongo() && c.EmbeddedRedis() }

// LocalFiles says that uploads are kept under DataDir.
func (c Config) LocalFiles() bool { return c.CloudinaryURL == "" }

// Address is what to listen on.
func (c Config) Address() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// TrustedProxies lists the trusted networks in the form gin takes.
func (c Config) TrustedProxies() []string {
	out := make([]string, 0, len(c.TrustedNets))
	for _, p := range c.TrustedNets {
		out = append(out, p.String())
	}
	return out
}

// AnyOrigin says that CORS_ORIGIN is "*".
func (c Config) AnyOrigin() bool { return len(c.CORSOrigins) == 1 && c.CORSOrigins[0] == "*" }

// Warnings are settings that work and that an operator should know about, one
// sentence each, without secret values.
func (c Config) Warnings() []string {
	var out []string
	out = append(out, c.tokenWarnings()...)
	for _, flag := range c.secretsFromFlags {
		out = append(out, flag+" holds a secret that every process on this machine can read from the command line; use the environment variable")
	}
	for _, p := range c.TrustedNets {
		if p.Bits() == 0 {
			out = append(out, "TRUSTED_PROXIES trusts every address: any client can pretend to be at any other")
			break
		}
	}
	return out
}
