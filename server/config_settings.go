package server

import (
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"parley/adapters/token"
)

// setting is one row of the table everything about configuration is made from:
// parsing, checking, defaults, help, the reference and the log line.
type setting struct {
	name    string // the environment variable; the flag's name follows from it
	section string // where help lists it
	def     string // the default, spelled as a user would
	defNote string // what help shows instead, where the default is not one value
	meaning string // one line
	secret  bool   // the value is never printed, in errors neither
	kind
}

// flag is the setting's name on the command line: MAX_FILES is --max-files.
func (s setting) flag() string { return "--" + strings.ReplaceAll(strings.ToLower(s.name), "_", "-") }

// bare says that the flag may stand without a value, meaning true.
func (s setting) bare() bool { return s.boolean }

// shownDefault is what help and the reference print.
func (s setting) shownDefault() string {
	if s.defNote != "" {
		return s.defNote
	}
	return s.def
}

const (
	kib = int64(1) << 10
	mib = int64(1) << 20
	gib = int64(1) << 30

	// shortest refuses PRESENCE_TTL=30 from somebody who meant seconds.
	shortest = 100 * time.Millisecond
	million  = 1_000_000
)

// settings is the table. Its order is the order of help.
func settings() []setting {
	return []setting{
		{name: "HOST", section: "Network", defNote: "all interfaces; 127.0.0.1 when both databases are embedded",
			meaning: "address to listen on", kind: host(func(c *Config) *string { return &c.Host })},
		{name: "PORT", section: "Network", def: "3000",
			meaning: "port to listen on; 0 takes a free one", kind: number(func(c *Config) *int { return &c.Port }, 0, 65535)},
		{name: "PUBLIC_URL", section: "Network", defNote: "none: file URLs are paths",
			meaning: "where clients reach this server; file URLs start with it", kind: webURL(func(c *Config) *string { return &c.PublicURL })},
		{name: "CORS_ORIGIN", section: "Network", defNote: "none",
			meaning: "origins whose pages may use this server", kind: origins(func(c *Config) *[]string { return &c.CORSOrigins })},
		{name: "TRUSTED_PROXIES", section: "Network", defNote: "none",
			meaning: "proxies whose X-Forwarded-For is believed", kind: networks(func(c *Config) *[]netip.Prefix { return &c.TrustedNets })},

		{name: "JWT_SECRET", section: "Identity", defNote: "none; a random one when both databases are embedded", secret: true,
			meaning: "key of tokens signed by HS algorithms, 32 bytes or more", kind: secret(func(c *Config) *string { return &c.JWTSecret })},
		{name: "JWT_ALGORITHMS", section: "Identity", def: "HS256",
			meaning: "how tokens may be signed", kind: algorithms(func(c *Config) *[]string { return &c.JWTAlgorithms })},
		{name: "JWT_PUBLIC_KEY", section: "Identity", defNote: "none",
			meaning: "key of tokens signed by RS, PS, ES algorithms and EdDSA", kind: pemOrFile(func(c *Config) *string { return &c.JWTPublicKey })},
		{name: "JWT_JWKS_URL", section: "Identity", defNote: "none",
			meaning: "where the keys of such tokens are published, instead", kind: keySetURL(func(c *Config) *string { return &c.JWTKeySetURL })},
		{name: "JWT_USER_CLAIM", section: "Identity", def: token.DefaultClaim,
			meaning: "claim that names the user; dots lead into objects where no claim is called so", kind: claim(func(c *Config) *string { return &c.JWTUserClaim })},
		{name: "JWT_ISSUER", section: "Identity", defNote: "any, and none",
			meaning: "what a token's iss must be one of", kind: texts(func(c *Config) *[]string { return &c.JWTIssuers })},
		{name: "JWT_AUDIENCE", section: "Identity", defNote: "any, and none",
			meaning: "what a token's aud must have one of", kind: texts(func(c *Config) *[]string { return &c.JWTAudiences })},
		{name: "JWT_LEEWAY", section: "Identity", def: "0s",
			meaning: "how wrong clocks may be: added to exp, taken from nbf", kind: leeway(func(c *Config) *time.Duration { return &c.JWTLeeway })},
		{name: "POD_ID", section: "Identity", defNote: "host name and 8 random hex digits",
			meaning: "name of this process among its peers; no two may share one", kind: podID(func(c *Config) *string { return &c.PodID })},

		{name: "MONGODB_URI", section: "Storage", defNote: "none: an embedded server, data under DATA_DIR", secret: true,
			meaning: "MongoDB", kind: uri(func(c *Config) *string { return &c.MongoURI }, "mongodb", "mongodb+srv")},
		{name: "REDIS_URL", section: "Storage", defNote: "none: an embedded server, in memory", secret: true,
			meaning: "Redis: one server, a cluster or sentinels", kind: uri(func(c *Config) *string { return &c.RedisURL }, redisSchemes()...)},
		{name: "SOCKETIO_ADAPTER", section: "Storage", def: AdapterRedis,
			meaning: "how pods share rooms over Redis; the same on every pod", kind: oneOf(func(c *Config) *string { return &c.Adapter }, AdapterRedis, AdapterSharded, AdapterStreams)},
		{name: "CLOUDINARY_URL", section: "Storage", defNote: "none: files under DATA_DIR, served at /files/", secret: true,
			meaning: "where uploaded files are kept", kind: uri(func(c *Config) *string { return &c.CloudinaryURL }, mediaSchemes()...)},
		{name: "DATA_DIR", section: "Storage", def: "./parley-data",
			meaning: "directory of embedded data, kept files and uploads in progress", kind: directory(func(c *Config) *string { return &c.DataDir })},

		{name: "SOCKETIO_PATH", section: "Clients", def: "/socket.io",
			meaning: "path of Socket.IO and of the client's bundles", kind: socketPath(func(c *Config) *string { return &c.SocketIOPath })},
		{name: "ALLOW_EIO3", section: "Clients", def: "false",
			meaning: "let socket.io-client 2.x in", kind: boolean(func(c *Config) *bool { return &c.AllowEIO3 })},
		{name: "SOCKETIO_PARSER", section: "Clients", def: ParserJSON,
			meaning: "packets as stock clients spell them, or as socket.io-msgpack-parser does", kind: oneOf(func(c *Config) *string { return &c.Parser }, ParserJSON, ParserMsgpack)},
		{name: "PING_INTERVAL", section: "Clients", def: "25s",
			meaning: "time between pings to a client", kind: duration(func(c *Config) *time.Duration { return &c.PingInterval }, shortest, time.Hour)},
		{name: "PING_TIMEOUT", section: "Clients", def: "20s",
			meaning: "time a client has to answer a ping", kind: duration(func(c *Config) *time.Duration { return &c.PingTimeout }, shortest, time.Hour)},
		{name: "CONNECT_TIMEOUT", section: "Clients", def: "45s",
			meaning: "time a connection has to ask to be let in, and then waits at the most until it is", kind: duration(func(c *Config) *time.Duration { return &c.ConnectTimeout }, shortest, 10*time.Minute)},
		{name: "PRESENCE_TTL", section: "Clients", def: "30s",
			meaning: "time after which a dead pod's sockets count as gone", kind: duration(func(c *Config) *time.Duration { return &c.PresenceTTL }, shortest, time.Hour)},
		{name: "PRESENCE_GRACE", section: "Clients", def: "3s",
			meaning: "time a user has to come back before others are told that they are offline", kind: duration(func(c *Config) *time.Duration { return &c.PresenceGrace }, 0, 10*time.Minute)},
		{name: "PRESENCE_ROOM_LIMIT", section: "Clients", def: "100",
			meaning: "participants up to which a chat is told who comes and goes; 0 is never", kind: number(func(c *Config) *int { return &c.PresenceRoom }, 0, million)},
		{name: "STRANGER_TTL", section: "Clients", def: "2m",
			meaning: "time after which a socket id no pod has is taken out of presence; 0 is never", kind: duration(func(c *Config) *time.Duration { return &c.StrangerTTL }, 0, 24*time.Hour)},
		{name: "REPLAY_LIMIT", section: "Clients", def: "200",
			meaning: "messages sent again to a user who was away; 0 turns replay off", kind: number(func(c *Config) *int { return &c.ReplayLimit }, 0, 10_000)},
		{name: "REPLAY_GRACE", section: "Clients", def: "5s",
			meaning: "devices that connect this soon after a user's first get the same replay", kind: duration(func(c *Config) *time.Duration { return &c.ReplayGrace }, 0, 10*time.Minute)},
		{name: "RECOVERY_WINDOW", section: "Clients", def: "2m",
			meaning: "time in which a client that comes back recovers its session; 0 turns recovery off", kind: duration(func(c *Config) *time.Duration { return &c.RecoveryWindow }, 0, 24*time.Hour)},

		{name: "MAX_TEXT_BYTES", section: "Limits", def: "262144",
			meaning: "longest text of a message", kind: size(func(c *Config) *int { return &c.MaxTextBytes }, 1, 8*mib)},
		{name: "MAX_FILE_BYTES", section: "Limits", def: "26214400",
			meaning: "largest file", kind: size(func(c *Config) *int64 { return &c.MaxFileBytes }, 1, 10*gib)},
		{name: "MAX_FILES", section: "Limits", def: "10",
			meaning: "files in one post", kind: number(func(c *Config) *int { return &c.MaxFiles }, 1, 100)},
		{name: "MAX_PAYLOAD_BYTES", section: "Limits", def: "1000000",
			meaning: "largest Socket.IO packet from a client", kind: size(func(c *Config) *int64 { return &c.MaxPayloadBytes }, kib, 100*mib)},
		{name: "MAX_UPLOADS", section: "Limits", def: "32",
			meaning: "uploads written to disk at once; the disk holds as many posts of the largest size", kind: number(func(c *Config) *int { return &c.MaxUploads }, 1, 10_000)},
		{name: "RATE_LIMIT_MESSAGES", section: "Limits", def: "200",
			meaning: "posts a second and user, on each pod", kind: number(func(c *Config) *int { return &c.MessagesPerSec }, 1, million)},
		{name: "RATE_LIMIT_BURST", section: "Limits", def: "2000",
			meaning: "posts a user may make at once before that rate applies", kind: number(func(c *Config) *int { return &c.MessagesBurst }, 1, million)},
		{name: "RATE_LIMIT_EVENTS", section: "Limits", def: "50",
			meaning: "client events a second and socket; questions about presence a second and user, on each pod", kind: number(func(c *Config) *int { return &c.EventsPerSec }, 1, million)},

		{name: "REQUEST_TIMEOUT", section: "Times", def: "10s",
			meaning: "time for the database work of one REST call", kind: duration(func(c *Config) *time.Duration { return &c.RequestTimeout }, shortest, 10*time.Minute)},
		{name: "UPLOAD_TIMEOUT", section: "Times", def: "30s",
			meaning: "time a client may be silent in the middle of a body", kind: duration(func(c *Config) *time.Duration { return &c.UploadTimeout }, shortest, 24*time.Hour)},
		{name: "SHUTDOWN_TIMEOUT", section: "Times", def: "20s",
			meaning: "time from SIGTERM to exit", kind: duration(func(c *Config) *time.Duration { return &c.ShutdownTimeout }, shortest, time.Hour)},
		{name: "REDIS_TIMEOUT", section: "Times", def: "500ms",
			meaning: "time one call to Redis may take before Redis counts as away", kind: duration(func(c *Config) *time.Duration { return &c.RedisTimeout }, shortest, 10*time.Second)},
		{name: "READY_DELAY", section: "Times", def: "0s",
			meaning: "time between readiness going red and clients being sent off", kind: duration(func(c *Config) *time.Duration { return &c.ReadyDelay }, 0, time.Hour)},
		{name: "DRAIN_BATCH", section: "Times", def: "100",
			meaning: "sockets sent off at once while shutting down", kind: number(func(c *Config) *int { return &c.DrainBatch }, 1, million)},
		{name: "DRAIN_PAUSE", section: "Times", def: "100ms",
			meaning: "time between two such batches", kind: duration(func(c *Config) *time.Duration { return &c.DrainPause }, 0, time.Minute)},

		{name: "LOG_LEVEL", section: "Logging", def: "info",
			meaning: "what is logged", kind: level(func(c *Config) *slog.Level { return &c.LogLevel })},
		{name: "LOG_FORMAT", section: "Logging", def: LogAuto,
			meaning: "auto is text on a terminal and JSON otherwise", kind: oneOf(func(c *Config) *string { return &c.LogFormat }, LogAuto, LogText, LogJSON)},
	}
}

// redisSchemes and mediaSchemes are what the adapters can dial.
func redisSchemes() []string { return []string{"redis", "rediss"} }
func mediaSchemes() []string { return []string{"cloudinary"} }
