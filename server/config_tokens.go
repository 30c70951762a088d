package server

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"parley/adapters/token"
)

func algorithms(at func(*Config) *[]string) kind {
	return field(at, "of "+strings.Join(token.Algorithms(), ", ")+", separated by commas", func(s string) ([]string, bool) {
		var out []string
		for item := range strings.SplitSeq(s, ",") {
			item = strings.TrimSpace(item)
			i := slices.IndexFunc(token.Algorithms(), func(alg string) bool { return strings.EqualFold(alg, item) })
			if i < 0 {
				return nil, false
			}
			if alg := token.Algorithms()[i]; !slices.Contains(out, alg) {
				out = append(out, alg)
			}
		}
		return out, true
	}, commas)
}

func commas(list []string) string { return strings.Join(list, ",") }

// pemOrFile is shown only where it is the name of a file: the other may be a
// private key that is there by mistake.
func pemOrFile(at func(*Config) *string) kind {
	return field(at, "a PEM text (a public key or a certificate; newlines may be \\n), or a file that holds one", func(s string) (string, bool) {
		return s, strings.TrimSpace(s) != ""
	}, func(s string) string {
		if s == "" {
			return "not set"
		}
		return "set"
	})
}

func keySetURL(at func(*Config) *string) kind {
	return field(at, "an http:// or https:// address", func(s string) (string, bool) {
		s = strings.TrimSpace(s)
		u, err := url.Parse(s)
		return s, err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && portOK(u)
	}, redactURI)
}

// claim refuses those that have a meaning of their own.
func claim(at func(*Config) *string) kind {
	const most = 256
	return field(at, "the name of a claim, but not of iss, aud, exp, nbf or iat", func(s string) (string, bool) {
		s = strings.TrimSpace(s)
		first, _, _ := strings.Cut(s, ".")
		return s, s != "" && len(s) <= most && !strings.ContainsFunc(s, unicode.IsControl) &&
			!slices.Contains([]string{"iss", "aud", "exp", "nbf", "iat"}, first)
	}, asIs)
}

func texts(at func(*Config) *[]string) kind {
	return field(at, "texts, separated by commas", func(s string) ([]string, bool) {
		var out []string
		for item := range strings.SplitSeq(s, ",") {
			item = strings.TrimSpace(item)
			if item == "" || strings.ContainsFunc(item, unicode.IsControl) {
				return nil, false
			}
			out = append(out, item)
		}
		return out, true
	}, commas)
}

// leeway refuses JWT_LEEWAY=30 from somebody who meant seconds, as
// jsonwebtoken's clockTolerance does.
func leeway(at func(*Config) *time.Duration) kind {
	k := duration(at, time.Second, time.Hour)
	k.allowed += "; or 0"
	inner := k.set
	k.set = func(c *Config, text string) bool {
		if d, ok := parseDuration(text); ok && d == 0 {
			*at(c) = 0
			return true
		}
		return inner(c, text)
	}
	return k
}

// tokenKeys are the contradictions between the algorithms and their keys. Each
// algorithm has one kind of key, and each key that is given an algorithm.
func (c *Config) tokenKeys(given map[string]bool) []string {
	var out []string
	secrets := c.secretSigns()
	var pairs []string
	for _, alg := range c.JWTAlgorithms {
		if !token.IsSecret(alg) {
			pairs = append(pairs, alg)
		}
	}
	known := len(c.JWTAlgorithms) > 0 // what is no list of algorithms was said already
	if (secrets || !known) && !given["JWT_SECRET"] && (given["MONGODB_URI"] || given["REDIS_URL"]) {
		out = append(out, "JWT_SECRET is not set: it is required as soon as MONGODB_URI or REDIS_URL is set")
	}
	if secrets && token.IsPEM(c.JWTSecret) && !strings.Contains(c.JWTSecret, "PRIVATE KEY") {
		out = append(out, "JWT_SECRET holds a public key: whoever knows that could sign by an HS algorithm; put it into JWT_PUBLIC_KEY and say in JWT_ALGORITHMS what it is for")
	}
	if given["JWT_PUBLIC_KEY"] && given["JWT_JWKS_URL"] {
		out = append(out, "JWT_PUBLIC_KEY and JWT_JWKS_URL are both set: tokens have their keys from one or from the other")
	}
	for _, name := range []string{"JWT_PUBLIC_KEY", "JWT_JWKS_URL"} {
		if known && given[name] && len(pairs) == 0 {
			out = append(out, name+" is set, but JWT_ALGORITHMS is "+commas(c.JWTAlgorithms)+": name there what it is for, as RS256 or ES256")
		}
	}
	if len(pairs) > 0 && !given["JWT_PUBLIC_KEY"] && !given["JWT_JWKS_URL"] {
		out = append(out, "JWT_ALGORITHMS has "+commas(pairs)+", but neither JWT_PUBLIC_KEY nor JWT_JWKS_URL is set")
	}
	if c.JWTPublicKey == "" {
		return out
	}
	text, err := pemOf(c.JWTPublicKey)
	if err == nil {
		c.publicKey, err = token.ParsePublicKey(text)
	}
	if err != nil {
		return append(out, "JWT_PUBLIC_KEY is not valid (its value is not shown): "+err.Error())
	}
	for _, alg := range pairs {
		if err := token.Fits(alg, c.publicKey); err != nil {
			return append(out, "JWT_PUBLIC_KEY does not fit JWT_ALGORITHMS: "+err.Error())
		}
	}
	return out
}

// maxPEM is more than any key or certificate has.
const maxPEM = 64 << 10

// pemOf is a PEM text as it is, or that of the file it names, with or without an
// @ in front. Errors do not name the file: what is none may be a key.
func pemOf(text string) (string, error) {
	if token.IsPEM(text) {
		return text, nil
	}
	name := strings.TrimPrefix(strings.TrimSpace(text), "@")
	f, err := os.Open(name) //nolint:gosec // the operator names it
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return "", errors.New("it is no PEM text, and no file that can be read: " + err.Error())
	}
	defer f.Close() //nolint:errcheck // it is only read
	held, err := io.ReadAll(io.LimitReader(f, maxPEM))
	if err != nil {
		return "", errors.New("its file cannot be read")
	}
	return string(held), nil
}

func (c Config) tokenWarnings() []string {
	var out []string
	switch {
	case c.JWTSecret == "":
	case !c.secretSigns():
		out = append(out, "JWT_SECRET is set and not used: JWT_ALGORITHMS has no HS algorithm")
	case len(c.JWTSecret) < minSecretBytes:
		out = append(out, "JWT_SECRET is shorter than 32 bytes: whoever has one token can guess it and sign any other")
	}
	if u, err := url.Parse(c.JWTKeySetURL); err == nil && u.Scheme == "http" {
		if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			out = append(out, "JWT_JWKS_URL is not https: whoever is on the way to it can put in a key and sign any token")
		}
	}
	return out
}

// secretSigns says that JWT_SECRET is a key of some algorithm that is allowed.
func (c Config) secretSigns() bool { return slices.ContainsFunc(c.JWTAlgorithms, token.IsSecret) }

// tokens are the good ones, as far as the configuration says so.
func (c Config) tokens() token.Options {
	return token.Options{
		Algorithms: c.JWTAlgorithms, Secret: []byte(c.JWTSecret), PublicKey: c.publicKey, UserClaim: c.JWTUserClaim,
		Issuers: c.JWTIssuers, Audiences: c.JWTAudiences, Leeway: c.JWTLeeway, Now: time.Now,
	}
}
