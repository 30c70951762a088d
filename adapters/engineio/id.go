package engineio

import (
	"crypto/rand"
	"encoding/base64"
)

// newID makes 15 random bytes 20 characters.
func newID() string {
	var b [15]byte
	_, _ = rand.Read(b[:]) // ends the process where there is no randomness
	return base64.URLEncoding.EncodeToString(b[:])
}
