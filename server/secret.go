package server

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// secretBytes is the length of a random secret.
const secretBytes = 32

// secret is the key of the tokens. In the embedded mode it is made on the first
// start and kept beside the data, so that tokens outlive a restart.
func (s *Server) secret() ([]byte, error) {
	if s.cfg.JWTSecret != "" {
		return []byte(s.cfg.JWTSecret), nil
	}
	path := filepath.Join(s.cfg.DataDir, "jwt-secret")
	kept, err := os.ReadFile(path)
	if err == nil {
		if secret := strings.TrimSpace(string(kept)); len(secret) >= minSecretBytes {
			return []byte(secret), nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the secret of the embedded mode: %w", err)
	}
	random := make([]byte, secretBytes)
	_, _ = rand.Read(random) // never fails
	secret := hex.EncodeToString(random)
	if err := os.MkdirAll(s.cfg.DataDir, 0o750); err != nil {
		return nil, fmt.Errorf("DATA_DIR: %w", err)
	}
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("the secret of the embedded mode: %w", err)
	}
	return []byte(secret), nil
}
