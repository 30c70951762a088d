package cluster

import (
	"crypto/rand"
	"encoding/hex"
)

// shortID is Node's uid2: n characters of 64.
func shortID(n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	for i := range b {
		b[i] = alphabet[b[i]%64]
	}
	return string(b)
}

// longID is what the cluster adapters use: 8 random bytes in hex.
func longID() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}
