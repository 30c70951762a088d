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

	"parley/adapters/token"
)

// verify makes what checks tokens, of REST requests and of handshakes alike.
func (s *Server) verify() error {
	secret, err := s.secret()
	if err != nil {
		return err
	}
	good := s.cfg.tokens()
	good.Secret = secret
	if s.cfg.JWTKeySetURL != "" {
		s.tokenKeys = token.NewKeySet(token.KeySetOptions{URL: s.cfg.JWTKeySetURL, Logger: s.log, Metrics: s.metrics})
		s.background = append(s.background, task{"the tokens' keys", s.tokenKeys.Run})
		good.Keys = s.tokenKeys
	}
	s.tokens = token.New(good)
	return nil
}

// secretBytes is the length of a random secret.
const secretBytes = 32

// secret is the key of tokens signed by HS algorithms; nil where none is allowed.
// In the embedded mode it is made on the first start and kept beside the data, so
// that tokens outlive a restart.
func (s *Server) secret() ([]byte, error) {
	if !s.cfg.secretSigns() {
		return nil, nil
	}
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
