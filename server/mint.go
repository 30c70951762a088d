package server

import (
	"errors"
	"time"

	"parley/adapters/token"
	"parley/models"
)

// MintToken makes a token that is good for ttl, signed with the secret the
// servers are given as JWT_SECRET.
func MintToken(secret, user string, ttl time.Duration) (string, error) {
	if secret == "" {
		return "", errors.New("a token needs a secret")
	}
	return token.New([]byte(secret), time.Now).Mint(models.UserID(user), ttl)
}
