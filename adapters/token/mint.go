package token

import (
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/models"
)

// Mint makes a token for the user that is good for ttl from now.
func (v *Verifier) Mint(user models.UserID, ttl time.Duration) (string, error) {
	id, ok := models.ParseUserID(string(user))
	if !ok {
		return "", models.Refuse(models.CodeInvalidUserID, "this cannot name a user")
	}
	if ttl < time.Second {
		return "", models.Refuse(models.CodeTokenInvalid, "a token must be good for at least one second")
	}
	key, err := v.key(nil)
	if err != nil {
		return "", models.Internal(err)
	}
	now := v.now()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"userId": string(id),
		"iat":    now.Unix(),
		"exp":    now.Add(ttl).Unix(),
	}).SignedString(key)
	if err != nil {
		return "", models.Internal(err)
	}
	return signed, nil
}
