// Package token reads and makes the JWTs that name a user.
//
// It owns what a token must be: HS256 under one secret, in date to the second,
// with a userId claim that can name a user. It refuses everything else, each
// case with one of the four fixed codes, and never repeats a token in an error.
package token

import (
	"errors"
	"time"
	"unicode"

	"github.com/golang-jwt/jwt/v5"

	"parley/models"
)

// maxBytes bounds a token. A token of this kind is some 200 bytes; one of
// megabytes is an attack on the decoder.
const maxBytes = 8 << 10

// Verifier checks and mints tokens of one secret.
type Verifier struct {
	secret []byte
	now    func() time.Time
	parser *jwt.Parser
}

// New makes a Verifier. now is the clock that exp and nbf are held against.
func New(secret []byte, now func() time.Time) *Verifier {
	return &Verifier{
		secret: append([]byte(nil), secret...),
		now:    now,
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
			jwt.WithTimeFunc(now),
			// Large numeric user ids must not be rounded through a float.
			jwt.WithJSONNumber(),
		),
	}
}

// Verify returns who the token speaks for. raw is whatever the client sent in
// its place; present is false where it sent nothing.
func (v *Verifier) Verify(raw any, present bool) (models.Identity, error) {
	if !present || raw == nil || raw == "" {
		return models.Identity{}, models.Refuse(models.CodeTokenMissing, "no token was given")
	}
	text, ok := raw.(string)
	if !ok || len(text) > maxBytes {
		return models.Identity{}, malformed()
	}
	claims := jwt.MapClaims{}
	if _, err := v.parser.ParseWithClaims(text, &claims, v.key); err != nil {
		return models.Identity{}, refusal(err)
	}
	user, ok := userOf(claims["userId"])
	if !ok {
		return models.Identity{}, models.Refuse(models.CodeTokenInvalid, "the token names no valid userId")
	}
	identity := models.Identity{UserID: user}
	if exp, err := claims.GetExpirationTime(); err == nil && exp != nil {
		identity.ExpiresAt = exp.Time
	}
	return identity, nil
}

// key refuses an empty secret: everybody could sign with that one.
func (v *Verifier) key(*jwt.Token) (any, error) {
	if len(v.secret) == 0 {
		return nil, errors.New("no secret is configured")
	}
	return v.secret, nil
}

// refusal translates the library's error. The library puts parts of the token
// into some of its messages, so none of them is passed on, not even as a cause.
func refusal(err error) *models.Error {
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return malformed()
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return models.Refuse(models.CodeTokenInvalid, "the token's signature is not valid")
	case errors.Is(err, jwt.ErrTokenExpired):
		return models.Refuse(models.CodeTokenExpired, "the token has expired")
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return models.Refuse(models.CodeTokenInvalid, "the token is not valid yet")
	}
	return models.Refuse(models.CodeTokenInvalid, "the token is not valid")
}

func malformed() *models.Error {
	return models.Refuse(models.CodeTokenMalformed, "the token is not a JSON Web Token")
}

// userOf reads the claim as Node applications write it: a string, or the whole
// number an SQL database gave them.
func userOf(claim any) (models.UserID, bool) {
	text, ok := claim.(string)
	if !ok {
		number, isNumber := claim.(interface{ String() string })
		if !isNumber || !isWhole(number.String()) {
			return "", false
		}
		text = number.String()
	}
	for _, r := range text {
		if unicode.IsControl(r) {
			return "", false
		}
	}
	return models.ParseUserID(text)
}

// isWhole says whether a JSON number is written as JavaScript writes a whole
// one. 1.0 and 1e3 are not: one user must not have two spellings.
func isWhole(number string) bool {
	digits := number
	if len(digits) > 1 && digits[0] == '-' {
		digits = digits[1:]
		if digits == "0" {
			return false
		}
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
	}
	return digits != ""
}
