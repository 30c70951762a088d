package server

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const secret32 = "0123456789abcdef0123456789abcdef"

func load(t *testing.T, args []string, environ ...string) Config {
	t.Helper()
	cfg, err := Load(args, environ)
	if err != nil {
		t.Fatalf("Load(%q, %q): %v", args, environ, err)
	}
	return cfg
}

// problems returns what Load refused, and fails where it refused nothing.
func problems(t *testing.T, args []string, environ ...string) []string {
	t.Helper()
	_, err := Load(args, environ)
	var bad *ConfigError
	if !errors.As(err, &bad) {
		t.Fatalf("Load(%q, %q) = %v, want a *ConfigError", args, environ, err)
	}
	if lines := strings.Split(bad.Error(), "\n"); len(lines) != len(bad.Problems) {
		t.Errorf("a problem takes more than one line: %q", lines)
	}
	return bad.Problems
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	cfg := load(t, nil)
	if !strings.Contains(cfg.PodID, "-") || cfg.PodID == load(t, nil).PodID {
		t.Errorf("PodID %q is not fresh", cfg.PodID)
	}
	cfg.PodID = ""
	want := Config{
		Host: "127.0.0.1", Port: 3000, JWTAlgorithms: []string{"HS256"}, JWTUserClaim: "userId",
		Adapter: "redis", SocketIOPath: "/socket.io", Parser: "json", DataDir: "./parley-data",
		LogLevel: slog.LevelInfo, LogFormat: "auto",
		MaxTextBytes: 262144, MaxFileBytes: 26214400, MaxFiles: 10, MaxPayloadBytes: 1000000, MaxUploads: 32,
		MessagesPerSec: 200, MessagesBurst: 2000, EventsPerSec: 50, ReplayLimit: 200, DrainBatch: 100,
		PingInterval: 25 * time.Second, PingTimeout: 20 * time.Second, ConnectTimeout: 45 * time.Second,
		PresenceTTL: 30 * time.Second, PresenceGrace: 3 * time.Second, PresenceRoom: 100, StrangerTTL: 2 * time.Minute, ReplayGrace: 5 * time.Second, RecoveryWindow: 2 * time.Minute, RequestTimeout: 10 * time.Second,
		RedisTimeout:  500 * time.Millisecond,
		UploadTimeout: 30 * time.Second, ShutdownTimeout: 20 * time.Second, DrainPause: 100 * time.Millisecond,
	}
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("defaults\n got %v\nwant %v", cfg, want)
	}
}

// Every field of Config has one row in the table, and every row works as a
// variable and as a flag.
func TestEverySettingIsAVariableAndAFlag(t *testing.T) {
	t.Parallel()
	values := map[string]string{
		"HOST": "localhost", "PORT": "4000", "PUBLIC_URL": "https://chat.example", "CORS_ORIGIN": "https://a.example",
		"TRUSTED_PROXIES": "10.0.0.0/8", "JWT_SECRET": secret32, "JWT_ALGORITHMS": "ES256", "JWT_JWKS_URL": "https://id.example/keys", "POD_ID": "pod-7", "MONGODB_URI": "mongodb://db/x",
		"REDIS_URL": "redis://cache", "SOCKETIO_ADAPTER": "redis-streams", "CLOUDINARY_URL": "cloudinary://1:2@c",
		"DATA_DIR": "/srv/parley", "ALLOW_EIO3": "true", "SOCKETIO_PARSER": "msgpack", "SOCKETIO_PATH": "/ws", "LOG_LEVEL": "warn", "LOG_FORMAT": "json",
	}
	fields := reflect.TypeFor[Config]()
	changed := make(map[string]string)
	for _, s := range settings() {
		value, ok := values[s.name]
		if !ok {
			value = "7777" // a number, a size and a time in milliseconds alike
		}
		if s.name == "READY_DELAY" || s.name == "MAX_FILES" {
			value = "77"
		}
		plain, with := Config{}, Config{}
		for _, row := range settings() {
			for _, c := range []*Config{&plain, &with} {
				if row.def != "" {
					row.set(c, row.def)
				}
			}
		}
		if !s.set(&with, value) {
			t.Errorf("%s: %q refused", s.name, value)
		}
		flags, bad, _ := parseFlags(settings(), []string{s.flag(), value})
		if len(bad) > 0 || flags[s.name] != value {
			t.Errorf("%s %s: got %q, %q", s.flag(), value, flags, bad)
		}
		flags, bad, _ = parseFlags(settings(), []string{s.flag() + "=" + value})
		if len(bad) > 0 || flags[s.name] != value {
			t.Errorf("%s=%s: got %q, %q", s.flag(), value, flags, bad)
		}
		a, b := reflect.ValueOf(plain), reflect.ValueOf(with)
		for i := range fields.NumField() {
			if f := fields.Field(i); isSetting(f) && !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
				if other := changed[f.Name]; other != "" {
					t.Errorf("%s and %s both set %s", other, s.name, f.Name)
				}
				changed[f.Name] = s.name
			}
		}
	}
	for i := range fields.NumField() {
		if f := fields.Field(i); isSetting(f) && changed[f.Name] == "" {
			t.Errorf("no setting sets Config.%s", f.Name)
		}
	}
	if n := len(settings()); n != len(changed) {
		t.Errorf("%d settings set %d fields", n, len(changed))
	}
}

func isSetting(f reflect.StructField) bool { return f.IsExported() && f.Name != "Out" }

func TestSources(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		args []string
		env  []string
		want int
	}{
		{"variable", nil, []string{"PORT=4000"}, 4000},
		{"flag", []string{"--port", "4001"}, nil, 4001},
		{"flag with =", []string{"--port=4001"}, nil, 4001},
		{"one dash", []string{"-port=4001"}, nil, 4001},
		{"flag wins", []string{"--port=4001"}, []string{"PORT=4000"}, 4001},
		{"a wrong variable does not matter under a flag", []string{"--port=4001"}, []string{"PORT=x"}, 4001},
		{"the last flag wins", []string{"--port=4001", "--port=4002"}, nil, 4002},
		{"empty variable", nil, []string{"PORT="}, 3000},
		{"empty flag", []string{"--port="}, []string{"PORT=4000"}, 3000},
		{"free port", []string{"--port=0"}, nil, 0},
		{"other people's variables", nil, []string{"PATH=/bin", "PORTS=x", "=C:=x"}, 3000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := load(t, tc.args, tc.env...).Port; got != tc.want {
				t.Errorf("Port = %d, want %d", got, tc.want)
			}
		})
	}
}

func TestBareBoolean(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args []string
		want bool
	}{
		{[]string{"--allow-eio3"}, true},
		{[]string{"--allow-eio3", "--port=1"}, true},
		{[]string{"--allow-eio3", "false"}, false},
		{[]string{"--allow-eio3=0"}, false},
	} {
		if got := load(t, tc.args, "ALLOW_EIO3=false").AllowEIO3; got != tc.want {
			t.Errorf("%q: %v, want %v", tc.args, got, tc.want)
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	real := []string{"JWT_SECRET=" + secret32, "REDIS_URL=redis://r"}
	for _, tc := range []struct {
		env  string
		get  func(Config) any
		want any
	}{
		{"PING_INTERVAL=25000", func(c Config) any { return c.PingInterval }, 25 * time.Second},
		{"PING_INTERVAL= 1m30s ", func(c Config) any { return c.PingInterval }, 90 * time.Second},
		{"REPLAY_GRACE=0", func(c Config) any { return c.ReplayGrace }, time.Duration(0)},
		{"RECOVERY_WINDOW=0", func(c Config) any { return c.RecoveryWindow }, time.Duration(0)},
		{"REPLAY_LIMIT=0", func(c Config) any { return c.ReplayLimit }, 0},
		{"MAX_FILE_BYTES=25M", func(c Config) any { return c.MaxFileBytes }, int64(25 << 20)},
		{"MAX_FILE_BYTES=25MiB", func(c Config) any { return c.MaxFileBytes }, int64(25 << 20)},
		{"MAX_FILE_BYTES=1g", func(c Config) any { return c.MaxFileBytes }, int64(1 << 30)},
		{"MAX_TEXT_BYTES=256 kib", func(c Config) any { return c.MaxTextBytes }, 256 << 10},
		{"ALLOW_EIO3=1", func(c Config) any { return c.AllowEIO3 }, true},
		{"ALLOW_EIO3=False", func(c Config) any { return c.AllowEIO3 }, false},
		{"LOG_LEVEL=DEBUG", func(c Config) any { return c.LogLevel }, slog.LevelDebug},
		{"SOCKETIO_ADAPTER=redis-sharded", func(c Config) any { return c.Adapter }, "redis-sharded"},
		{"SOCKETIO_PARSER=msgpack", func(c Config) any { return c.Parser }, "msgpack"},
		{"SOCKETIO_PATH= /socket.io/ ", func(c Config) any { return c.SocketIOPath }, "/socket.io"},
		{"SOCKETIO_PATH=/chat/v1.0/ws", func(c Config) any { return c.SocketIOPath }, "/chat/v1.0/ws"},
		{"SOCKETIO_PATH=/api/socket.io", func(c Config) any { return c.SocketIOPath }, "/api/socket.io"},
		{"SOCKETIO_PATH=/apis", func(c Config) any { return c.SocketIOPath }, "/apis"},
		{"HOST=[::1]", func(c Config) any { return c.Address() }, "[::1]:3000"},
		{"HOST=::", func(c Config) any { return c.Address() }, "[::]:3000"},
		{"HOST=pod-1.chat.svc", func(c Config) any { return c.Address() }, "pod-1.chat.svc:3000"},
		{"PUBLIC_URL=https://chat.example/app/", func(c Config) any { return c.PublicURL }, "https://chat.example/app"},
		{"CORS_ORIGIN=*", func(c Config) any { return c.AnyOrigin() }, true},
		{"CORS_ORIGIN=https://A.example:443, http://localhost:5173,https://a.example,capacitor://localhost", func(c Config) any { return c.CORSOrigins },
			[]string{"https://a.example", "http://localhost:5173", "capacitor://localhost"}},
		{"TRUSTED_PROXIES=10.1.2.3/8, 192.0.2.1,::1", func(c Config) any { return c.TrustedProxies() },
			[]string{"10.0.0.0/8", "192.0.2.1/32", "::1/128"}},
		{"MONGODB_URI=mongodb://u:p@h1:27017,h2:27017/chat?replicaSet=rs", func(c Config) any { return c.MongoURI },
			"mongodb://u:p@h1:27017,h2:27017/chat?replicaSet=rs"},
		{"POD_ID=web-0", func(c Config) any { return c.PodID }, "web-0"},
		{"JWT_SECRET= padded secret ", func(c Config) any { return c.JWTSecret }, " padded secret "},
	} {
		t.Run(tc.env, func(t *testing.T) {
			t.Parallel()
			cfg := load(t, nil, append(slices.Clone(real), tc.env)...)
			if got := tc.get(cfg); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestRefusedValues(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, value string }{
		{"HOST", "localhost:3000"}, {"HOST", "a b"}, {"HOST", "[::1"}, {"HOST", "-x"}, {"HOST", "http://x"},
		{"PORT", "-1"}, {"PORT", "65536"}, {"PORT", "x"}, {"PORT", "3000.5"},
		{"PUBLIC_URL", "chat.example"}, {"PUBLIC_URL", "ftp://chat.example"}, {"PUBLIC_URL", "https://x/?a=1"},
		{"PUBLIC_URL", "https://x/#a"}, {"PUBLIC_URL", "https://"}, {"PUBLIC_URL", "https://x:0"},
		{"CORS_ORIGIN", "a.example"}, {"CORS_ORIGIN", "https://a.example/"}, {"CORS_ORIGIN", "https://a.example,*"},
		{"CORS_ORIGIN", "https://*.example"}, {"CORS_ORIGIN", "https://a.example,,"}, {"CORS_ORIGIN", "null"},
		{"CORS_ORIGIN", "https://a.example?x"}, {"CORS_ORIGIN", "https://a.example:99999"},
		{"TRUSTED_PROXIES", "proxy.local"}, {"TRUSTED_PROXIES", "10.0.0.0/33"}, {"TRUSTED_PROXIES", "*"}, {"TRUSTED_PROXIES", "fe80::1%eth0"},
		{"JWT_SECRET", "   "},
		{"JWT_ALGORITHMS", "none"}, {"JWT_ALGORITHMS", "HS256,none"}, {"JWT_ALGORITHMS", "HS256,"}, {"JWT_ALGORITHMS", "RS1"}, {"JWT_ALGORITHMS", "HS"},
		{"JWT_PUBLIC_KEY", "  "}, {"JWT_JWKS_URL", "file:///keys.json"}, {"JWT_JWKS_URL", "id.example/keys"}, {"JWT_JWKS_URL", "https://"},
		{"JWT_USER_CLAIM", " "}, {"JWT_USER_CLAIM", "exp"}, {"JWT_USER_CLAIM", "aud.id"},
		{"JWT_ISSUER", ","}, {"JWT_AUDIENCE", "a,,b"}, {"JWT_LEEWAY", "30"}, {"JWT_LEEWAY", "-1s"}, {"JWT_LEEWAY", "2h"},
		{"POD_ID", "a b"}, {"POD_ID", "a:b"}, {"POD_ID", strings.Repeat("x", 65)},
		{"MONGODB_URI", "http://db"}, {"MONGODB_URI", "mongodb://"}, {"MONGODB_URI", "db:27017"}, {"MONGODB_URI", "mongodb://a b"},
		{"REDIS_URL", "cache:6379"}, {"REDIS_URL", "http://cache"},
		{"CLOUDINARY_URL", "https://x"}, {"CLOUDINARY_URL", "cloudinary://"},
		{"SOCKETIO_ADAPTER", "mongo"}, {"SOCKETIO_PARSER", "xml"}, {"LOG_LEVEL", "trace"}, {"LOG_LEVEL", "info+2"}, {"LOG_FORMAT", "xml"},
		{"SOCKETIO_PATH", "socket.io"}, {"SOCKETIO_PATH", "/"}, {"SOCKETIO_PATH", "//"}, {"SOCKETIO_PATH", "/a//b"}, {"SOCKETIO_PATH", "/a//"},
		{"SOCKETIO_PATH", "/a/../b"}, {"SOCKETIO_PATH", "/./a"}, {"SOCKETIO_PATH", "/a b"}, {"SOCKETIO_PATH", "/:a"}, {"SOCKETIO_PATH", "/*a"},
		{"SOCKETIO_PATH", "/a?b"}, {"SOCKETIO_PATH", "/a%20"}, {"SOCKETIO_PATH", "https://x/socket.io"}, {"SOCKETIO_PATH", "/" + strings.Repeat("x", 64)},
		{"SOCKETIO_PATH", "/api"}, {"SOCKETIO_PATH", "/api/chats"}, {"SOCKETIO_PATH", "/api/users/ws"}, {"SOCKETIO_PATH", "/files"},
		{"SOCKETIO_PATH", "/files/ws/"}, {"SOCKETIO_PATH", "/healthz"}, {"SOCKETIO_PATH", "/readyz"}, {"SOCKETIO_PATH", "/metrics"},
		{"SOCKETIO_PATH", "/page"}, {"SOCKETIO_PATH", "/demo.json"},
		{"ALLOW_EIO3", "yes"}, {"DATA_DIR", "  "},
		{"MAX_TEXT_BYTES", "0"}, {"MAX_TEXT_BYTES", "9M"}, {"MAX_FILE_BYTES", "25MB"}, {"MAX_FILE_BYTES", "1.5M"},
		{"MAX_FILE_BYTES", "17179869185G"}, {"MAX_FILE_BYTES", "-1"}, {"MAX_FILE_BYTES", "M"}, {"MAX_FILE_BYTES", "1e6"},
		{"MAX_FILES", "0"}, {"MAX_UPLOADS", "0"}, {"MAX_PAYLOAD_BYTES", "1"},
		{"RATE_LIMIT_MESSAGES", "0"}, {"RATE_LIMIT_BURST", "0"}, {"RATE_LIMIT_EVENTS", "0"}, {"REPLAY_LIMIT", "-1"}, {"DRAIN_BATCH", "0"},
		{"PING_INTERVAL", "0"}, {"PING_TIMEOUT", "-1s"}, {"CONNECT_TIMEOUT", "ten"}, {"PRESENCE_TTL", "30"},
		{"REQUEST_TIMEOUT", "0s"}, {"UPLOAD_TIMEOUT", "0s"}, {"SHUTDOWN_TIMEOUT", "0"}, {"REPLAY_GRACE", "-1ms"}, {"RECOVERY_WINDOW", "25h"},
		{"DRAIN_PAUSE", "2m"}, {"READY_DELAY", "-1"}, {"PING_INTERVAL", "9223372036854775807"},
	} {
		t.Run(tc.name+"="+tc.value, func(t *testing.T) {
			t.Parallel()
			var row setting
			for _, s := range settings() {
				if s.name == tc.name {
					row = s
				}
			}
			want := fmt.Sprintf("%s is %q: it must be %s", tc.name, tc.value, row.allowed)
			if row.secret {
				want = fmt.Sprintf("%s is not valid (its value is not shown): it must be %s", tc.name, row.allowed)
			}
			if got := problems(t, nil, "JWT_SECRET="+secret32, tc.name+"="+tc.value); !slices.Contains(got, want) {
				t.Errorf("got %q\nwant %q", got, want)
			}
			want = strings.Replace(want, tc.name, row.flag(), 1)
			if got := problems(t, []string{row.flag() + "=" + tc.value}, "JWT_SECRET="+secret32); !slices.Contains(got, want) {
				t.Errorf("got %q\nwant %q", got, want)
			}
		})
	}
}

func TestCombinations(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		env  []string
		want string // empty: fine
	}{
		{"embedded without secret", nil, ""},
		{"MongoDB without secret", []string{"MONGODB_URI=mongodb://db"}, "JWT_SECRET is not set: it is required as soon as MONGODB_URI or REDIS_URL is set"},
		{"Redis without secret", []string{"REDIS_URL=redis://db"}, "JWT_SECRET is not set: it is required as soon as MONGODB_URI or REDIS_URL is set"},
		{"MongoDB alone", []string{"MONGODB_URI=mongodb://db", "JWT_SECRET=" + secret32}, ""},
		{"sharded without Redis", []string{"SOCKETIO_ADAPTER=redis-sharded"}, "SOCKETIO_ADAPTER is redis-sharded but REDIS_URL is not set: the embedded server has no sharded channels; set REDIS_URL or use redis"},
		{"streams without Redis", []string{"SOCKETIO_ADAPTER=redis-streams"}, ""},
		{"ready delay too long", []string{"READY_DELAY=20s"}, "READY_DELAY is 20s: it must be shorter than SHUTDOWN_TIMEOUT, 20s, which it is a part of"},
		{"ready delay within", []string{"READY_DELAY=19s"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if tc.want == "" {
				load(t, nil, tc.env...)
				return
			}
			if got := problems(t, nil, tc.env...); !slices.Equal(got, []string{tc.want}) {
				t.Errorf("got %q, want %q alone", got, tc.want)
			}
		})
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	got := problems(t, []string{"--prot=1", "--max-files=0", "--host"}, "PORT=x", "LOG_LEVEL=loud", "PARLEY_PORT=1", "MONGODB_URI=wrong")
	if len(got) != 8 { // the secret that MONGODB_URI asks for among them
		t.Errorf("%d problems, want 8:\n%s", len(got), strings.Join(got, "\n"))
	}
}

func TestFlagMistakes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args []string
		want []string
	}{
		{[]string{"--prot", "3000"}, []string{"--prot is not a flag; did you mean --port?"}},
		{[]string{"--jwt-secrt=hunter2"}, []string{"--jwt-secrt is not a flag; did you mean --jwt-secret?"}},
		{[]string{"--jwt-secrt", "hunter2"}, []string{"--jwt-secrt is not a flag; did you mean --jwt-secret?"}},
		{[]string{"--MAX_FILES=2"}, []string{"--MAX_FILES is not a flag; did you mean --max-files?"}},
		{[]string{"--something-else"}, []string{"--something-else is not a flag: parley serve --help lists them"}},
		{[]string{"hunter2"}, []string{"argument 1 is not a flag: settings are given as --name=value"}},
		{[]string{"--port=1", "--"}, []string{"argument 2 is not a flag: settings are given as --name=value"}},
		{[]string{"--port"}, []string{"--port has no value: it must be a whole number from 0 to 65535"}},
		{[]string{"--port", "--max-files=3"}, []string{"--port has no value: it must be a whole number from 0 to 65535"}},
		{[]string{"--port", "-1"}, []string{`--port is "-1": it must be a whole number from 0 to 65535`}},
	} {
		if got := problems(t, tc.args); !slices.Equal(got, tc.want) {
			t.Errorf("%q:\n got %q\nwant %q", tc.args, got, tc.want)
		}
	}
}

func TestStrangers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ env, want string }{
		{"PARLEY_PORT=3000", "PARLEY_PORT is not a setting; did you mean PORT?"},
		{"PARLEY_MAX_FILE=3", "PARLEY_MAX_FILE is not a setting; did you mean MAX_FILES?"},
		{"PARLEY_COLOUR_SCHEME=hunter2", "PARLEY_COLOUR_SCHEME is not a setting: settings have no PARLEY_ in front; parley serve --help lists them"},
		{"PARLEY_PORT_HTTP_TCP=hunter2", "PARLEY_PORT_HTTP_TCP is not a setting: settings have no PARLEY_ in front; parley serve --help lists them"},
		// What Kubernetes sets beside Services named parley and parley-redis.
		{"PARLEY_SERVICE_HOST=10.0.0.1", ""},
		{"PARLEY_SERVICE_PORT=80", ""},
		{"PARLEY_SERVICE_PORT_HTTP=80", ""},
		{"PARLEY_PORT=tcp://10.0.0.1:80", ""},
		{"PARLEY_PORT_80_TCP=tcp://10.0.0.1:80", ""},
		{"PARLEY_PORT_80_TCP_ADDR=10.0.0.1", ""},
		{"PARLEY_REDIS_SERVICE_HOST=10.0.0.1", ""},
		{"PARLEY_REDIS_PORT=tcp://10.0.0.1:6379", ""},
		{"PARLEY_REDIS_PORT_6379_TCP_PROTO=tcp", ""},
	} {
		t.Run(tc.env, func(t *testing.T) {
			t.Parallel()
			if tc.want == "" {
				load(t, nil, tc.env)
			} else if got := problems(t, nil, tc.env); !slices.Equal(got, []string{tc.want}) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestHelpWins(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"-h"}, {"--port=x", "--help"}, {"--prot", "-help"}} {
		if _, err := Load(args, nil); !errors.Is(err, ErrHelp) {
			t.Errorf("%q: %v, want ErrHelp", args, err)
		}
	}
}

func TestHostFollowsTheMode(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		env                    []string
		address                string
		embedded, mongo, redis bool
	}{
		{nil, "127.0.0.1:3000", true, true, true},
		{[]string{"HOST=0.0.0.0"}, "0.0.0.0:3000", true, true, true},
		{[]string{"MONGODB_URI=mongodb://db"}, ":3000", false, false, true},
		{[]string{"REDIS_URL=rediss://db"}, ":3000", false, true, false},
		{[]string{"REDIS_URL=redis://db", "HOST=::1"}, "[::1]:3000", false, true, false},
	} {
		cfg := load(t, nil, append(tc.env, "JWT_SECRET="+secret32)...)
		if cfg.Address() != tc.address || cfg.Embedded() != tc.embedded || cfg.EmbeddedMongo() != tc.mongo || cfg.EmbeddedRedis() != tc.redis {
			t.Errorf("%q: %s %v %v %v", tc.env, cfg.Address(), cfg.Embedded(), cfg.EmbeddedMongo(), cfg.EmbeddedRedis())
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args, env []string
		want      []string // how each starts
	}{
		{nil, nil, nil},
		{nil, []string{"JWT_SECRET=" + secret32}, nil},
		{nil, []string{"JWT_SECRET=" + secret32[1:]}, []string{"JWT_SECRET is shorter"}},
		{[]string{"--jwt-secret=" + secret32}, nil, []string{"--jwt-secret holds a secret"}},
		{[]string{"--jwt-secret="}, nil, nil},
		{nil, []string{"TRUSTED_PROXIES=0.0.0.0/0,::/0"}, []string{"TRUSTED_PROXIES trusts every"}},
	} {
		got := load(t, tc.args, tc.env...).Warnings()
		if !slices.EqualFunc(got, tc.want, strings.HasPrefix) {
			t.Errorf("%q %q: %q, want %q", tc.args, tc.env, got, tc.want)
		}
	}
}

// However a configuration gets printed or refused, the secrets stay out.
func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	const hidden = "hunter2"
	env := []string{
		"JWT_SECRET=hunter2hunter2", "MONGODB_URI=mongodb+srv://u:hunter2@h1,h2/chat?tlsCertificateKeyFilePassword=hunter2",
		"REDIS_URL=rediss://:a/b?hunter2@cache:6379", "CLOUDINARY_URL=cloudinary://k:hunter2@cloud",
	}
	cfg := load(t, nil, env...)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("start", "config", cfg)
	slog.New(slog.NewTextHandler(&log, nil)).Info("start", "config", cfg)
	fmt.Fprintf(&log, "%v %+v %#v %s %q\n", cfg, cfg, cfg, &cfg, cfg.Warnings())
	for _, wrong := range [][]string{
		{"JWT_SECRET=" + hidden, "MONGODB_URI=hunter2", "REDIS_URL=http://u:hunter2@x", "CLOUDINARY_URL=hunter2"},
		{"PUBLIC_URL=http://u:hunter2@host"},
	} {
		fmt.Fprintln(&log, problems(t, nil, wrong...))
	}
	if strings.Contains(log.String(), hidden) {
		t.Errorf("a secret was printed:\n%s", log.String())
	}
	for _, want := range []string{`"jwt_secret":"set"`, `"mongodb_uri":"mongodb+srv://h1,h2/chat"`, `"port":"3000"`, `"ping_interval":"25s"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in\n%s", want, log.String())
		}
	}
}

func TestRedactURI(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                   "not set",
		"hunter2":                            "set",
		"redis://cache:6379/2":               "redis://cache:6379/2",
		"redis://u:p@cache":                  "redis://cache",
		"redis://u:p@ss@cache":               "redis://cache",
		"redis://u:p/w@cache":                "redis://cache",
		"redis://u:p?w@cache":                "redis://…",
		"redis://u:p#w@cache":                "redis://…",
		"redis://cache?sentinel_password=p":  "redis://cache",
		"redis://cache?sentinel_password=p@": "redis://…",
	} {
		if got := redactURI(in); got != want {
			t.Errorf("redactURI(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestHelpListsEverySetting(t *testing.T) {
	t.Parallel()
	var usage, reference bytes.Buffer
	if err := Usage(&usage); err != nil {
		t.Fatal(err)
	}
	if err := Reference(&reference); err != nil {
		t.Fatal(err)
	}
	for _, s := range settings() {
		for _, want := range []string{s.name, s.flag(), s.meaning, s.shownDefault()} {
			if want == "" || !strings.Contains(usage.String(), want) || !strings.Contains(reference.String(), want) {
				t.Errorf("%s: %q is missing", s.name, want)
			}
		}
	}
}

func TestNetworksCoverWhatTheySay(t *testing.T) {
	t.Parallel()
	cfg := load(t, nil, "TRUSTED_PROXIES=192.0.2.7")
	if p := cfg.TrustedNets[0]; !p.Contains(netip.MustParseAddr("192.0.2.7")) || p.Contains(netip.MustParseAddr("192.0.2.8")) {
		t.Errorf("192.0.2.7 became %s", p)
	}
}

func TestLoggerFormat(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		format   string
		terminal bool
		json     bool
	}{
		{"auto", true, false}, {"auto", false, true}, {"text", false, false}, {"json", true, true},
	} {
		var out bytes.Buffer
		log := load(t, []string{"--log-format=" + tc.format, "--log-level=warn"}).Logger(&out, tc.terminal)
		log.Info("quiet")
		log.Warn("loud")
		if got := strings.HasPrefix(out.String(), "{"); got != tc.json || strings.Contains(out.String(), "quiet") || !strings.Contains(out.String(), "loud") {
			t.Errorf("%s, terminal %v: %q", tc.format, tc.terminal, out.String())
		}
	}
}

func TestTimeText(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 10 * time.Second: "10s", 2 * time.Minute: "2m", 90 * time.Second: "1m30s",
		time.Hour: "1h", 24 * time.Hour: "24h", 10 * time.Minute: "10m", 61 * time.Minute: "1h1m", 100 * time.Millisecond: "100ms",
	} {
		if got := timeText(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
