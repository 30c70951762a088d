// Package token reads and makes the JWTs that name a user.
//
// It owns what a token must be: signed by an algorithm that is allowed, with the
// one key that algorithm has here, in date, from whom and for whom it must be,
// with a claim that can name a user. HS algorithms have the secret and nothing
// else; RS, PS, ES and EdDSA have the public key, or the set of keys that is
// published, and never the secret. It refuses everything else, each case with
// one of the four fixed codes, and never repeats a token or a key in an error.
package token

import (
	"context"
	"crypto"
	"errors"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/models"
)

// maxBytes bounds a token. A token of this kind is some 200 bytes, of a hosted
// identity provider some 2,000; one of megabytes is an attack on the decoder.
const maxBytes = 8 << 10

// DefaultClaim is the claim that names the user.
const DefaultClaim = "userId"

// Options say which tokens are good.
type Options struct {
	// Algorithms are those allowed, by their JWA names; nil for HS256.
	Algorithms []string
	// Secret is the key of the HS algorithms. Nobody passes without one.
	Secret []byte
	// PublicKey is the key of the others, as ParsePublicKey returns it; nil
	// where Keys has theirs.
	PublicKey crypto.PublicKey
	// Keys is a set that is published; nil for PublicKey.
	Keys *KeySet
	// PrivateKey signs what Mint makes, where no secret does; nil on servers.
	PrivateKey crypto.Signer
	// UserClaim names the user: a key of the claims, dots and all, or else a path
	// through objects, as user.id; empty for DefaultClaim.
	UserClaim string
	// Issuers and Audiences are what iss and aud must be one of; empty for any,
	// and none.
	Issuers, Audiences []string
	// Leeway is how wrong clocks may be.
	Leeway time.Duration
	// Now is the clock that exp and nbf are held against.
	Now func() time.Time
}

// Verifier checks tokens, and mints what it would let pass.
type Verifier struct {
	opts   Options
	parser *jwt.Parser
}

// New makes a Verifier.
func New(o Options) *Verifier {
	if len(o.Algorithms) == 0 {
		o.Algorithms = []string{jwt.SigningMethodHS256.Alg()}
	}
	if o.UserClaim == "" {
		o.UserClaim = DefaultClaim
	}
	parsing := []jwt.ParserOption{
		jwt.WithValidMethods(o.Algorithms),
		jwt.WithTimeFunc(o.Now),
		jwt.WithLeeway(o.Leeway),
		// Large numeric user ids must not be rounded through a float.
		jwt.WithJSONNumber(),
	}
	if len(o.Audiences) > 0 {
		parsing = append(parsing, jwt.WithAudience(o.Audiences...))
	}
	return &Verifier{opts: o, parser: jwt.NewParser(parsing...)}
}

// Verify returns who the token speaks for. raw is whatever the client sent in
// its place; present is false where it sent nothing. It waits, no longer than ctx
// lasts, where the keys that are published have to be asked for again; if they
// cannot be had, that is CodeUnavailable and says nothing about the token.
func (v *Verifier) Verify(ctx context.Context, raw any, present bool) (models.Identity, error) {
	if !present || raw == nil || raw == "" {
		return models.Identity{}, models.Refuse(models.CodeTokenMissing, "no token was given")
	}
	text, ok := raw.(string)
	if !ok || len(text) > maxBytes {
		return models.Identity{}, malformed()
	}
	said, err := v.parse(ctx, text)
	if err != nil {
		return models.Identity{}, err
	}
	if len(v.opts.Issuers) > 0 && !slices.Contains(v.opts.Issuers, said.issuer()) {
		return models.Identity{}, models.Refuse(models.CodeTokenInvalid, "the token is from another issuer")
	}
	user, ok := said.user(v.opts.UserClaim)
	if !ok {
		return models.Identity{}, models.Refuse(models.CodeTokenInvalid, "the token names no valid "+v.opts.UserClaim)
	}
	identity := models.Identity{UserID: user}
	if exp, err := said.GetExpirationTime(); err == nil && exp != nil {
		identity.ExpiresAt = exp.Add(v.opts.Leeway)
	}
	return identity, nil
}

// parse reads a token whose signature is good and which is in date. Where the
// published keys that are known cannot settle that, it looks at what is on its
// way, and then asks once more: their owner may have changed them.
func (v *Verifier) parse(ctx context.Context, text string) (claims, error) {
	said, unsettled, err := v.once(text)
	if !unsettled {
		return said, err
	}
	ctx, cancel := v.opts.Keys.patience(ctx)
	defer cancel()
	if v.opts.Keys.landed(ctx) {
		if said, unsettled, err = v.once(text); !unsettled {
			return said, err
		}
	}
	if err := v.opts.Keys.renewed(ctx); err != nil {
		return nil, models.Unavailable("the server that has the tokens' keys", err)
	}
	said, _, err = v.once(text)
	return said, err
}

// once is parse with the keys that are known. Its answer is unsettled where
// others may make it a different one.
func (v *Verifier) once(text string) (said claims, unsettled bool, err error) {
	unnamed := false // of the published keys, the token does not say which
	_, err = v.parser.ParseWithClaims(text, &said, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		unnamed = kid == "" && v.opts.Keys != nil && !IsSecret(t.Method.Alg())
		return v.key(t, kid)
	})
	if err != nil {
		unsettled = errors.Is(err, errUnknownKey) || unnamed && errors.Is(err, jwt.ErrTokenSignatureInvalid)
		return nil, unsettled, refusal(err)
	}
	return said, false, nil
}

// errUnknownKey says that no published key is known that could have signed.
var errUnknownKey = errors.New("no such key is known")

// key is the one kind of key that the token's algorithm has, by its family. A
// public key is never the secret of an HS algorithm: everybody has it.
func (v *Verifier) key(t *jwt.Token, kid string) (any, error) {
	if _, critical := t.Header["crit"]; critical {
		return nil, errors.New("the token asks for extensions that are not understood")
	}
	alg := t.Method.Alg()
	switch {
	case IsSecret(alg):
		// Everybody could sign with an empty one.
		if len(v.opts.Secret) == 0 {
			return nil, errors.New("no secret is configured")
		}
		return v.opts.Secret, nil
	case v.opts.Keys != nil:
		keys := v.opts.Keys.find(alg, kid)
		if len(keys) == 0 {
			return nil, errUnknownKey
		}
		return jwt.VerificationKeySet{Keys: keys}, nil
	case v.opts.PublicKey != nil:
		return v.opts.PublicKey, Fits(alg, v.opts.PublicKey)
	}
	return nil, errors.New("no key is configured")
}

// refusal translates the library's error. The library puts parts of the token
// into some of its messages, so none of them is passed on, not even as a cause.
func refusal(err error) *models.Error {
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return malformed()
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return models.Refuse(models.CodeTokenInvalid, "the token's signature is not valid")
	case errors.Is(err, errUnknownKey):
		return models.Refuse(models.CodeTokenInvalid, "the token is signed with a key that is not known")
	case errors.Is(err, jwt.ErrTokenExpired):
		return models.Refuse(models.CodeTokenExpired, "the token has expired")
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return models.Refuse(models.CodeTokenInvalid, "the token is not valid yet")
	case errors.Is(err, jwt.ErrTokenInvalidAudience), errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return models.Refuse(models.CodeTokenInvalid, "the token is for another audience")
	}
	return models.Refuse(models.CodeTokenInvalid, "the token is not valid")
}

func malformed() *models.Error {
	return models.Refuse(models.CodeTokenMalformed, "the token is not a JSON Web Token")
}
