package server

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

func host(at func(*Config) *string) kind {
	return field(at, "an address or a host name, without a port", func(s string) (string, bool) {
		s = strings.TrimSpace(s)
		if inner, ok := strings.CutPrefix(s, "["); ok {
			inner, ok = strings.CutSuffix(inner, "]")
			if !ok || !strings.Contains(inner, ":") {
				return "", false
			}
			s = inner
		}
		if _, err := netip.ParseAddr(s); err == nil {
			return s, true
		}
		return s, hostName(s)
	}, func(s string) string {
		if s == "" {
			return "all interfaces"
		}
		return s
	})
}

func hostName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if !podIDByte(label[i]) {
				return false
			}
		}
	}
	return true
}

// webURL is where clients reach the server. It loses its trailing slash, so
// that a path can be put behind it.
func webURL(at func(*Config) *string) kind {
	return field(at, "an http:// or https:// address without query, fragment or password", func(s string) (string, bool) {
		s = strings.TrimSpace(s)
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
			strings.ContainsAny(s, "?#") || !portOK(u) {
			return "", false
		}
		return strings.TrimRight(s, "/"), true
	}, asIs)
}

func portOK(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.Atoi(u.Port())
	return err == nil && n > 0 && n <= 65535
}

// occupied are the paths that are something else already.
func occupied() []string {
	return []string{"/api/messages", "/api/chats", "/api/users", "/files", "/healthz", "/readyz", "/metrics", "/page", "/demo.json"}
}

// maxSocketPath is more than anybody types, and less than a proxy minds.
const maxSocketPath = 64

// socketPath is taken with a slash at its end or without, as Node takes it.
func socketPath(at func(*Config) *string) kind {
	allowed := `a path such as "/socket.io" or "/chat/ws", of letters, digits, dots, dashes and underscores, that is not at, above or below ` + orList(occupied())
	return field(at, allowed, func(s string) (string, bool) {
		s = strings.TrimSuffix(strings.TrimSpace(s), "/")
		rest, ok := strings.CutPrefix(s, "/")
		if !ok || len(s) > maxSocketPath {
			return "", false
		}
		for segment := range strings.SplitSeq(rest, "/") {
			if segment == "" || segment == "." || segment == ".." {
				return "", false
			}
			for i := range len(segment) {
				if !podIDByte(segment[i]) {
					return "", false
				}
			}
		}
		return s, !slices.ContainsFunc(occupied(), func(taken string) bool {
			return s == taken || strings.HasPrefix(s, taken+"/") || strings.HasPrefix(taken, s+"/")
		})
	}, asIs)
}

func origins(at func(*Config) *[]string) kind {
	return field(at, `origins as scheme://host[:port], separated by commas, or * alone`, func(s string) ([]string, bool) {
		var out []string
		for item := range strings.SplitSeq(s, ",") {
			origin, ok := parseOrigin(strings.TrimSpace(item))
			if !ok {
				return nil, false
			}
			if !slices.Contains(out, origin) {
				out = append(out, origin)
			}
		}
		if len(out) > 1 && slices.Contains(out, "*") {
			return nil, false
		}
		return out, true
	}, func(list []string) string { return strings.Join(list, ",") })
}

// parseOrigin returns the origin as a browser sends it: lower case, without the
// scheme's own port. Schemes of app shells (capacitor://localhost) are origins too.
func parseOrigin(s string) (string, bool) {
	if s == "*" {
		return s, true
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Hostname() == "" || u.User != nil || u.Path != "" ||
		strings.ContainsAny(s, "?#* ") || !portOK(u) {
		return "", false
	}
	origin := strings.ToLower(u.Scheme + "://" + u.Host)
	switch u.Scheme {
	case "http":
		origin = strings.TrimSuffix(origin, ":80")
	case "https":
		origin = strings.TrimSuffix(origin, ":443")
	}
	return origin, true
}

func networks(at func(*Config) *[]netip.Prefix) kind {
	return field(at, "addresses and networks such as 10.0.0.0/8, separated by commas", func(s string) ([]netip.Prefix, bool) {
		var out []netip.Prefix
		for item := range strings.SplitSeq(s, ",") {
			item = strings.TrimSpace(item)
			prefix, err := netip.ParsePrefix(item)
			if err != nil {
				addr, err := netip.ParseAddr(item)
				if err != nil || addr.Zone() != "" {
					return nil, false
				}
				prefix = netip.PrefixFrom(addr, addr.BitLen())
			}
			out = append(out, prefix.Masked())
		}
		return out, true
	}, func(list []netip.Prefix) string {
		texts := make([]string, 0, len(list))
		for _, p := range list {
			texts = append(texts, p.String())
		}
		return strings.Join(texts, ",")
	})
}

// uri takes an address a driver will read. Only the scheme and the presence of
// something behind it are checked: net/url cannot read a list of hosts.
func uri(at func(*Config) *string, schemes ...string) kind {
	starts := make([]string, 0, len(schemes))
	for _, s := range schemes {
		starts = append(starts, s+"://")
	}
	return field(at, "an address that starts with "+orList(starts), func(s string) (string, bool) {
		s = strings.TrimSpace(s)
		scheme, rest, found := strings.Cut(s, "://")
		return s, found && slices.Contains(schemes, scheme) && rest != "" && !strings.ContainsAny(s, " \t\r\n")
	}, redactURI)
}

// redactURI keeps scheme, hosts and path. What stands before the last @ goes,
// whatever characters an unescaped password holds, and so does the query, where
// drivers take passwords too. An @ behind a ? could end either: then only the
// scheme is left.
func redactURI(s string) string {
	if s == "" {
		return "not set"
	}
	scheme, rest, found := strings.Cut(s, "://")
	if !found {
		return "set"
	}
	if end := strings.IndexAny(rest, "?#"); end >= 0 {
		if strings.Contains(rest[end:], "@") {
			return scheme + "://…"
		}
		rest = rest[:end]
	}
	return scheme + "://" + rest[strings.LastIndexByte(rest, '@')+1:]
}
