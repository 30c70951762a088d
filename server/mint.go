package server

import (
	"strings"
	"time"

	"parley/adapters/token"
	"parley/models"
)

// MintOptions say what token to make. Secret and PrivateKey are used where the
// environment has none: a private key is PEM, or the name of a file of it.
type MintOptions struct {
	User               string
	TTL                time.Duration
	Secret, PrivateKey string
}

// MintToken makes a token that servers with this environment take. Algorithms,
// claims, issuer and audience are those the servers are given; it is signed by the
// first of the algorithms there is a key for: JWT_SECRET, or JWT_PRIVATE_KEY, which
// servers never have. What is missing or wrong is a *ConfigError.
func MintToken(o MintOptions, environ []string) (string, error) {
	env := environment(environ)
	var (
		cfg      Config
		problems []string
	)
	for _, s := range settings() {
		if !strings.HasPrefix(s.name, "JWT_") || s.name == "JWT_PUBLIC_KEY" || s.name == "JWT_JWKS_URL" {
			continue
		}
		text, source := env[s.name], s.name
		if s.name == "JWT_SECRET" && o.Secret != "" {
			text, source = o.Secret, "--secret"
		}
		if text == "" {
			text = s.def
		}
		if text != "" && !s.set(&cfg, text) {
			problems = append(problems, refusal(s, source, text))
		}
	}
	good := cfg.tokens()
	source, text := "JWT_PRIVATE_KEY", env["JWT_PRIVATE_KEY"]
	if o.PrivateKey != "" {
		source, text = "--private-key", o.PrivateKey
		good.Secret = nil // it is to sign, whatever else could
	}
	if text != "" {
		held, err := pemOf(text)
		if err == nil {
			good.PrivateKey, err = token.ParsePrivateKey(held)
		}
		if err != nil {
			problems = append(problems, source+" is not valid (its value is not shown): "+err.Error())
		}
	}
	if len(problems) > 0 {
		return "", &ConfigError{Problems: problems}
	}
	v := token.New(good)
	if !v.Mints() {
		return "", &ConfigError{Problems: []string{whyNot(cfg, good)}}
	}
	return v.Mint(models.UserID(o.User), o.TTL)
}

// whyNot says what there would have to be for a token to be signed.
func whyNot(c Config, good token.Options) string {
	allowed := commas(c.JWTAlgorithms)
	if good.PrivateKey != nil {
		return "the private key is of a kind that JWT_ALGORITHMS, " + allowed + ", does not take: " + token.Fits(c.JWTAlgorithms[0], good.PrivateKey.Public()).Error()
	}
	if c.secretSigns() {
		return "there is no secret: set JWT_SECRET, or --secret, to what the servers have"
	}
	return "there is no private key: JWT_ALGORITHMS is " + allowed + ", and the servers' public key cannot sign; set JWT_PRIVATE_KEY, or --private-key, to the one whose tokens they take"
}
