package token

import (
	"encoding/json"
	"math"
	"strings"
	"time"
	"unicode"

	"github.com/golang-jwt/jwt/v5"

	"parley/models"
)

// claims are what a token says. Times in it are somebody else's numbers: seconds
// as a rule, milliseconds by mistake, 1e300 by malice.
type claims map[string]any

// The times a number of seconds is held between, so that what is added to one or
// made of one never wraps: the years 1 and 9999.
const (
	earliest = -62135596800
	latest   = 253402300799
)

// GetExpirationTime is exp.
func (c claims) GetExpirationTime() (*jwt.NumericDate, error) { return c.time("exp") }

// GetNotBefore is nbf.
func (c claims) GetNotBefore() (*jwt.NumericDate, error) { return c.time("nbf") }

// GetIssuedAt is nothing: when a token was made is no reason to refuse it, as
// with Node's jsonwebtoken.
func (claims) GetIssuedAt() (*jwt.NumericDate, error) { return nil, nil }

// GetAudience is aud.
func (c claims) GetAudience() (jwt.ClaimStrings, error) { return jwt.MapClaims(c).GetAudience() }

// GetIssuer is iss; it is read where it matters.
func (c claims) GetIssuer() (string, error) { return c.issuer(), nil }

// GetSubject is nothing to anybody here.
func (claims) GetSubject() (string, error) { return "", nil }

func (c claims) issuer() string {
	s, _ := c["iss"].(string)
	return s
}

func (c claims) time(name string) (*jwt.NumericDate, error) {
	raw, there := c[name]
	if !there {
		return nil, nil
	}
	number, ok := raw.(json.Number)
	if !ok {
		return nil, jwt.ErrInvalidType
	}
	seconds, _ := number.Float64() // out of range is ±Inf, as in JavaScript
	whole, part := math.Modf(min(max(seconds, earliest), latest))
	return &jwt.NumericDate{Time: time.Unix(int64(whole), int64(part*1e9))}, nil
}

// user finds who the token speaks for.
func (c claims) user(claim string) (models.UserID, bool) { return userOf(find(c, claim)) }

// find looks a name up among an object's keys, and if it is none of them, as a
// path: names of providers have dots in them (https://app.example.com/userId).
func find(object map[string]any, name string) any {
	if v, ok := object[name]; ok {
		return v
	}
	for end := strings.LastIndexByte(name, '.'); end > 0; end = strings.LastIndexByte(name[:end], '.') {
		if inner, ok := object[name[:end]].(map[string]any); ok {
			if v := find(inner, name[end+1:]); v != nil {
				return v
			}
		}
	}
	return nil
}

// put is the other way: what find finds.
func put(object map[string]any, name string, value any) {
	parts := strings.Split(name, ".")
	literal := strings.ContainsAny(name, "/:")
	for _, p := range parts {
		literal = literal || p == ""
	}
	if literal {
		parts = []string{name}
	}
	for _, p := range parts[:len(parts)-1] {
		inner := map[string]any{}
		object[p] = inner
		object = inner
	}
	object[parts[len(parts)-1]] = value
}

// userOf reads the claim as Node applications write it: a string, or the whole
// number an SQL database gave them.
func userOf(claim any) (models.UserID, bool) {
	text, ok := claim.(string)
	if !ok {
		number, isNumber := claim.(json.Number)
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
