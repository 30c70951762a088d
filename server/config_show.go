package server

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// LogValue lists every setting; secrets are only said to be set, and addresses
// lose their passwords.
func (c Config) LogValue() slog.Value {
	table := settings()
	attrs := make([]slog.Attr, 0, len(table))
	for _, s := range table {
		attrs = append(attrs, slog.String(strings.ToLower(s.name), s.show(&c)))
	}
	return slog.GroupValue(attrs...)
}

// String keeps secrets out of what fmt prints.
func (c Config) String() string {
	var b strings.Builder
	for _, attr := range c.LogValue().Group() {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%q", attr.Key, attr.Value.String())
	}
	return b.String()
}

// GoString keeps them out of %#v as well.
func (c Config) GoString() string { return "server.Config{" + c.String() + "}" }

// Logger makes the logger the settings ask for.
func (c Config) Logger(w io.Writer, terminal bool) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel, ReplaceAttr: durationsInWords}
	if c.LogFormat == LogText || c.LogFormat != LogJSON && terminal {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// durationsInWords prints 1.5s rather than a number whose unit nobody knows.
func durationsInWords(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// Usage prints every setting: variable, flag, default, meaning, what is allowed.
func Usage(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprint(out, `Usage: parley serve [--name=value ...]

Every setting is an environment variable and a flag; the flag wins, and an empty
value means the default. With nothing set, Parley brings its own databases and
listens on loopback.
`)
	section := ""
	for _, s := range settings() {
		if s.section != section {
			section = s.section
			fmt.Fprintf(out, "\n%s\n", section)
		}
		fmt.Fprintf(out, "  %-20s %s\n", s.name, s.flag())
		fmt.Fprintf(out, "      %s\n      allowed: %s\n      default: %s\n", s.meaning, s.allowed, s.shownDefault())
	}
	return out.Flush()
}

// Reference prints the same as Markdown, for the documentation.
func Reference(w io.Writer) error {
	out := bufio.NewWriter(w)
	section := ""
	for _, s := range settings() {
		if s.section != section {
			section = s.section
			fmt.Fprintf(out, "\n## %s\n\n| variable | flag | default | meaning | allowed |\n| --- | --- | --- | --- | --- |\n", section)
		}
		def := s.shownDefault()
		if s.defNote == "" {
			def = "`" + def + "`"
		}
		fmt.Fprintf(out, "| `%s` | `%s` | %s | %s | %s |\n", s.name, s.flag(), def, s.meaning, strings.ReplaceAll(s.allowed, "|", `\|`))
	}
	return out.Flush()
}
