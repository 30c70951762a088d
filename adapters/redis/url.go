package redis

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
)

type topology int

const (
	standalone topology = iota
	cluster
	sentinel
)

// target is what a REDIS_URL says.
type target struct {
	topology                   topology
	addrs                      []string
	username, password         string
	sentinelUser, sentinelPass string
	master                     string
	db, poolSize               int
	tls                        *tls.Config
	ignored                    []string // options that mean nothing to us
}

var schemes = map[string]struct {
	topology topology
	tls      bool
}{
	"redis": {standalone, false}, "rediss": {standalone, true},
	"redis+cluster": {cluster, false}, "rediss+cluster": {cluster, true},
	"redis-cluster": {cluster, false}, "rediss-cluster": {cluster, true},
	"redis+sentinel": {sentinel, false}, "rediss+sentinel": {sentinel, true},
	"redis-sentinel": {sentinel, false}, "rediss-sentinel": {sentinel, true},
}

// parseURL reads a Redis URL. It does not use net/url for the whole, which
// refuses lists of hosts and prints passwords in its errors. No error of it
// repeats any part of the text, because a password may sit anywhere in a URL
// that is not well formed.
func parseURL(text string) (target, error) {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(text), "://")
	kind, known := schemes[strings.ToLower(scheme)]
	if !ok || !known {
		return target{}, errors.New("the Redis URL must start with redis://, rediss://, redis+cluster:// or redis+sentinel://")
	}
	t := target{topology: kind.topology}
	rest, fragment, _ := strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	if strings.Contains(path+query+fragment, "@") {
		return target{}, errors.New("the Redis URL has an @ behind its hosts: write / ? # @ in a password as %2F %3F %23 %40")
	}
	if err := t.credentials(&authority); err != nil {
		return target{}, err
	}
	options, err := url.ParseQuery(query)
	if err != nil {
		return target{}, errors.New("the options behind ? in the Redis URL are not well formed")
	}
	useTLS := kind.tls
	skipVerify := false
	for name := range options {
		if err := t.option(name, options.Get(name), &useTLS, &skipVerify); err != nil {
			return target{}, err
		}
	}
	if useTLS {
		// ServerName stays empty: the driver takes it from each address.
		t.tls = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: skipVerify} // #nosec G402 -- only when asked for
	}
	if err := t.path(path, fragment); err != nil {
		return target{}, err
	}
	if err := t.hosts(authority); err != nil {
		return target{}, err
	}
	return t, t.check()
}

func (t *target) credentials(authority *string) error {
	at := strings.LastIndexByte(*authority, '@')
	if at < 0 {
		return nil
	}
	user, pass, _ := strings.Cut((*authority)[:at], ":")
	*authority = (*authority)[at+1:]
	var err error
	if t.username, err = url.PathUnescape(user); err == nil {
		t.password, err = url.PathUnescape(pass)
	}
	if err != nil {
		return errors.New("the Redis URL's user or password has a % that is not an escape: write it as %25")
	}
	return nil
}

func (t *target) option(name, value string, useTLS, skipVerify *bool) error {
	number := func(into *int) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return errors.New("the Redis URL's option " + name + " must be a whole number")
		}
		*into = n
		return nil
	}
	yes := value == "" || value == "1" || strings.EqualFold(value, "true")
	switch name {
	case "cluster":
		if yes {
			t.topology = cluster
		}
	case "master", "master_name", "sentinelMasterId", "sentinel":
		t.topology, t.master = sentinel, value
	case "sentinel_username":
		t.sentinelUser = value
	case "sentinel_password":
		t.sentinelPass = value
	case "username":
		t.username = value
	case "password":
		t.password = value
	case "db", "database":
		return number(&t.db)
	case "pool_size":
		return number(&t.poolSize)
	case "tls", "ssl":
		*useTLS = *useTLS || yes
	case "skip_verify":
		*skipVerify = yes
	default:
		t.ignored = append(t.ignored, name)
	}
	return nil
}

// path reads /<db>, or for sentinel /<master>/<db> and /<db>#<master>.
func (t *target) path(path, fragment string) error {
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	if fragment != "" {
		t.topology, t.master = sentinel, fragment
	} else if t.topology == sentinel && t.master == "" && len(parts) > 0 {
		t.master, parts = parts[0], parts[1:]
	}
	if master, err := url.PathUnescape(t.master); err == nil {
		t.master = master
	}
	switch len(parts) {
	case 0:
		return nil
	case 1:
		n, err := strconv.Atoi(parts[0])
		if err == nil && n >= 0 {
			t.db = n
			return nil
		}
	}
	return errors.New("the path of the Redis URL must be the number of a database")
}

func (t *target) hosts(list string) error {
	port := "6379"
	if t.topology == sentinel {
		port = "26379"
	}
	for _, host := range strings.Split(list, ",") {
		host = strings.TrimSpace(host)
		if host == "" {
			continue
		}
		name, number, err := net.SplitHostPort(host)
		if err != nil {
			name, number = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), port
			if strings.Contains(name, ":") && !strings.HasPrefix(host, "[") {
				return errors.New("a host in the Redis URL is not well formed: write host:port, and [ ] around an IPv6 address")
			}
		}
		if n, err := strconv.Atoi(number); err != nil || n < 1 || n > 65535 {
			return errors.New("a port in the Redis URL is not a number from 1 to 65535")
		}
		if name == "" {
			name = "localhost"
		}
		t.addrs = append(t.addrs, net.JoinHostPort(name, number))
	}
	if len(t.addrs) == 0 {
		t.addrs = []string{net.JoinHostPort("localhost", port)}
	}
	return nil
}

func (t *target) check() error {
	switch {
	case t.topology == sentinel && t.master == "":
		return errors.New("the Redis URL names sentinels but no master: write redis+sentinel://host1,host2/mastername")
	case t.topology == cluster && t.db != 0:
		return errors.New("a Redis Cluster has no databases but 0")
	case t.topology == standalone && len(t.addrs) > 1:
		return errors.New("the Redis URL has several hosts: say redis+cluster:// or redis+sentinel://")
	}
	return nil
}
