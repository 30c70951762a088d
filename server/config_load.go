package server

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"
)

// ErrHelp is what Load returns when --help or -h is among the arguments.
var ErrHelp = errors.New("help was asked for")

// ConfigError is everything that is wrong with a configuration, one line each.
// It holds no secret value.
type ConfigError struct{ Problems []string }

func (e *ConfigError) Error() string { return strings.Join(e.Problems, "\n") }

// Load reads the settings from flags and from the environment, given as
// os.Environ returns it. A flag wins over its variable; an empty value means
// the default. All mistakes are reported at once, as a *ConfigError.
func Load(args, environ []string) (Config, error) {
	table := settings()
	flags, problems, help := parseFlags(table, args)
	if help {
		return Config{}, ErrHelp
	}
	env := environment(environ)
	problems = append(problems, strangers(table, environ)...)

	var cfg Config
	given := make(map[string]bool) // also what is not valid
	for _, s := range table {
		text, source, fromFlag := env[s.name], s.name, false
		if v, ok := flags[s.name]; ok {
			text, source, fromFlag = v, s.flag(), true
		}
		if fromFlag && s.secret && text != "" {
			cfg.secretsFromFlags = append(cfg.secretsFromFlags, s.flag())
		}
		given[s.name] = text != ""
		if text == "" {
			text = s.def
		}
		if text != "" && !s.set(&cfg, text) {
			problems = append(problems, refusal(s, source, text))
		}
	}
	problems = append(problems, cfg.contradictions(given)...)
	problems = append(problems, cfg.tokenKeys(given)...)
	if len(problems) > 0 {
		return Config{}, &ConfigError{Problems: problems}
	}
	if cfg.Host == "" && cfg.Embedded() {
		cfg.Host = "127.0.0.1"
	}
	if cfg.PodID == "" {
		cfg.PodID = newPodID()
	}
	return cfg, nil
}

// contradictions are values that are fine alone and not together.
func (c Config) contradictions(given map[string]bool) []string {
	var out []string
	if c.Adapter == AdapterSharded && !given["REDIS_URL"] {
		out = append(out, "SOCKETIO_ADAPTER is redis-sharded but REDIS_URL is not set: the embedded server has no sharded channels; set REDIS_URL or use redis")
	}
	if c.ShutdownTimeout > 0 && c.ReadyDelay >= c.ShutdownTimeout {
		out = append(out, "READY_DELAY is "+timeText(c.ReadyDelay)+": it must be shorter than SHUTDOWN_TIMEOUT, "+timeText(c.ShutdownTimeout)+", which it is a part of")
	}
	return out
}

func refusal(s setting, source, text string) string {
	// An @ may end a password somebody put into an address.
	if s.secret || strings.Contains(text, "@") {
		return source + " is not valid (its value is not shown): it must be " + s.allowed
	}
	return source + " is " + quoted(text) + ": it must be " + s.allowed
}

// quoted shows what was given, shortened and without what would break the line.
func quoted(text string) string {
	const most = 80
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	clean := strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	return `"` + clean + `"`
}

func environment(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	return env
}

// strangers are variables that name Parley and no setting of it.
func strangers(table []setting, environ []string) []string {
	var out []string
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		rest, ours := strings.CutPrefix(name, "PARLEY_")
		if !ours || serviceLink(rest, value) {
			continue
		}
		line := quotedName(name) + " is not a setting"
		if near := nearest(rest, table, func(s setting) string { return s.name }); near != "" {
			line += "; did you mean " + near + "?"
		} else {
			line += ": settings have no PARLEY_ in front; parley serve --help lists them"
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

// serviceLink knows what Kubernetes puts into every container beside a Service
// whose name starts with "parley": PARLEY_SERVICE_HOST, PARLEY_PORT=tcp://…,
// PARLEY_PORT_3000_TCP_ADDR and the like. Nobody meant those for us.
func serviceLink(rest, value string) bool {
	padded := "_" + rest
	switch {
	case strings.HasSuffix(padded, "_SERVICE_HOST"), strings.Contains(padded+"_", "_SERVICE_PORT_"):
		return true
	case strings.HasSuffix(padded, "_PORT"):
		return strings.Contains(value, "://")
	}
	_, link, found := strings.Cut(padded, "_PORT_")
	number, protocol, _ := strings.Cut(link, "_")
	protocol, _, _ = strings.Cut(protocol, "_")
	return found && number != "" && strings.Trim(number, "0123456789") == "" &&
		slices.Contains([]string{"TCP", "UDP", "SCTP"}, protocol)
}

// newPodID is unique however often the host name is used again.
func newPodID() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		name = "parley" // only a help to people; the random part is what counts
	}
	clean := []byte(name)
	for i, b := range clean {
		if !podIDByte(b) {
			clean[i] = '-'
		}
	}
	random := make([]byte, 4)
	_, _ = rand.Read(random) // documented never to fail
	suffix := "-" + hex.EncodeToString(random)
	if most := maxPodID - len(suffix); len(clean) > most {
		clean = clean[:most]
	}
	return string(clean) + suffix
}
