package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The sizes RSA keys may have: smaller ones can be broken, larger ones make
// each verification a burden.
const (
	minRSABits = 2048
	maxRSABits = 16384
)

// Algorithms lists what can be allowed, in the order of help.
func Algorithms() []string {
	return []string{
		"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
		"ES256", "ES384", "ES512", "EdDSA",
	}
}

// IsSecret says that the algorithm's key is a secret both sides have; that of
// every other is a pair.
func IsSecret(alg string) bool { return strings.HasPrefix(alg, "HS") }

// Fits says why the public key is not one of the algorithm, if it is not.
func Fits(alg string, key crypto.PublicKey) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if !strings.HasPrefix(alg, "RS") && !strings.HasPrefix(alg, "PS") {
			break
		}
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return fmt.Errorf("an RSA key has to have %d to %d bits, this one has %d", minRSABits, maxRSABits, bits)
		}
		if k.E < 3 || k.E&1 == 0 { // with 1, anybody can sign
			return errors.New("the RSA key has an exponent that no key may have")
		}
		return nil
	case *ecdsa.PublicKey:
		curve := map[string]string{"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[alg]
		if curve != k.Params().Name {
			break
		}
		if _, err := k.ECDH(); err != nil {
			return errors.New("the key is no point on its curve")
		}
		return nil
	case ed25519.PublicKey:
		if alg == "EdDSA" && len(k) == ed25519.PublicKeySize {
			return nil
		}
	}
	return fmt.Errorf("%s takes another kind of key than %s", alg, describe(key))
}

// FirstThatFits returns the first of the algorithms that the key is one of; "" for
// none.
func FirstThatFits(algorithms []string, key crypto.PublicKey) string {
	if i := slices.IndexFunc(algorithms, func(alg string) bool { return Fits(alg, key) == nil }); i >= 0 {
		return algorithms[i]
	}
	return ""
}

// describe names a key's kind, without the key.
func describe(key crypto.PublicKey) string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return "RSA with " + strconv.Itoa(k.N.BitLen()) + " bits"
	case *ecdsa.PublicKey:
		return "ECDSA on " + k.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return "this"
}
