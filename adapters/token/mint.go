package token

import (
	"crypto"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/models"
)

// Mints says whether Mint can: with the secret of an algorithm that is allowed,
// or with the private key of one. Whose tokens are signed elsewhere cannot.
func (v *Verifier) Mints() bool {
	_, key := v.signing()
	return key != nil
}

// Mint makes a token for the user that is good for ttl from now.
func (v *Verifier) Mint(user models.UserID, ttl time.Duration) (string, error) {
	id, ok := models.ParseUserID(string(user))
	if !ok {
		return "", models.Refuse(models.CodeInvalidUserID, "this cannot name a user")
	}
	if ttl < time.Second {
		return "", models.Refuse(models.CodeTokenInvalid, "a token must be good for at least one second")
	}
	method, key := v.signing()
	if key == nil {
		return "", models.Refuse(models.CodeTokenInvalid, "there is no key to sign with")
	}
	now := v.opts.Now()
	said := jwt.MapClaims{"iat": now.Unix(), "exp": now.Add(ttl).Unix()}
	if len(v.opts.Issuers) > 0 {
		said["iss"] = v.opts.Issuers[0]
	}
	if len(v.opts.Audiences) > 0 {
		said["aud"] = v.opts.Audiences[0]
	}
	put(said, v.opts.UserClaim, string(id))
	signed, err := jwt.NewWithClaims(method, said).SignedString(key)
	if err != nil {
		return "", models.Internal(err)
	}
	return signed, nil
}

// signing is what to sign with: the first algorithm there is a key for.
func (v *Verifier) signing() (jwt.SigningMethod, crypto.PrivateKey) {
	for _, alg := range v.opts.Algorithms {
		switch {
		case IsSecret(alg):
			if len(v.opts.Secret) > 0 {
				return jwt.GetSigningMethod(alg), v.opts.Secret
			}
		case v.opts.PrivateKey != nil && Fits(alg, v.opts.PrivateKey.Public()) == nil:
			return jwt.GetSigningMethod(alg), v.opts.PrivateKey
		}
	}
	return nil, nil
}
