package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/adapters/token"
	"parley/models"
)

// pair is a P-256 key as it is configured, on either side.
func pair(t *testing.T) (public, private string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkix, _ := x509.MarshalPKIXPublicKey(key.Public())
	pkcs8, _ := x509.MarshalPKCS8PrivateKey(key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

// What MintToken signs, a server with the same environment takes.
func TestMintToken(t *testing.T) {
	t.Parallel()
	public, private := pair(t)
	_, foreign := pair(t)
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, []byte(private), 0o600); err != nil {
		t.Fatal(err)
	}
	secret, pub := "JWT_SECRET="+secret32, "JWT_PUBLIC_KEY="+public
	for _, tc := range []struct {
		name string
		o    MintOptions
		env  []string
		want string // of a *ConfigError; empty: a good token
	}{
		{"the default", MintOptions{}, []string{secret}, ""},
		{"a secret by flag", MintOptions{Secret: secret32}, []string{secret}, ""},
		{"HS512, a path, issuer, audience", MintOptions{}, []string{secret, "JWT_ALGORITHMS=HS512", "JWT_USER_CLAIM=user.id", "JWT_ISSUER=i,j", "JWT_AUDIENCE=a,b"}, ""},
		{"a claim of a provider", MintOptions{}, []string{secret, "JWT_USER_CLAIM=https://app.example.com/userId"}, ""},
		{"ES256", MintOptions{}, []string{"JWT_ALGORITHMS=ES256", pub, "JWT_PRIVATE_KEY=" + private}, ""},
		{"ES256, a file", MintOptions{PrivateKey: file}, []string{"JWT_ALGORITHMS=ES256", pub}, ""},
		{"ES256, an @file", MintOptions{}, []string{"JWT_ALGORITHMS=ES256", pub, "JWT_PRIVATE_KEY=@" + file}, ""},
		{"both, by the secret", MintOptions{}, []string{"JWT_ALGORITHMS=ES256,HS256", secret, pub}, ""},
		{"both, by the key", MintOptions{PrivateKey: private}, []string{"JWT_ALGORITHMS=HS256,ES256", secret, pub}, ""},
		{"no secret", MintOptions{}, nil, "there is no secret"},
		{"no private key", MintOptions{}, []string{"JWT_ALGORITHMS=ES256", pub, secret}, "there is no private key: JWT_ALGORITHMS is ES256"},
		{"the public key as the private one", MintOptions{PrivateKey: public}, []string{"JWT_ALGORITHMS=ES256", pub}, "--private-key is not valid (its value is not shown): this is no private key"},
		{"a key of another kind", MintOptions{PrivateKey: private}, []string{"JWT_ALGORITHMS=RS256"}, "RS256 takes another kind of key than ECDSA on P-256"},
		{"no such file", MintOptions{}, []string{"JWT_ALGORITHMS=ES256", "JWT_PRIVATE_KEY=/no/such/hunter2"}, "no file that can be read: no such file"},
		{"no such algorithm", MintOptions{}, []string{"JWT_ALGORITHMS=none", secret}, `JWT_ALGORITHMS is "none"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.o.User, tc.o.TTL = "alice", time.Hour
			minted, err := MintToken(tc.o, tc.env)
			if tc.want != "" {
				var bad *ConfigError
				if !errors.As(err, &bad) || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%q, %v; want %q", minted, err, tc.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			identity, err := token.New(load(t, nil, append(tc.env, secret)...).tokens()).Verify(context.Background(), minted, true)
			if err != nil || identity.UserID != "alice" {
				t.Errorf("the token speaks for %q, %v", identity.UserID, err)
			}
			if left := time.Until(identity.ExpiresAt); left < 59*time.Minute || left > time.Hour {
				t.Errorf("the token is good for %s", left)
			}
		})
	}
	minted, err := MintToken(MintOptions{User: "alice", TTL: time.Hour, PrivateKey: foreign}, []string{"JWT_ALGORITHMS=ES256"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.New(load(t, nil, "JWT_ALGORITHMS=ES256", pub).tokens()).Verify(context.Background(), minted, true); models.CodeOf(err) != models.CodeTokenInvalid {
		t.Errorf("another's token: %v", err)
	}
	for _, o := range []MintOptions{{TTL: time.Hour}, {User: "alice"}} {
		if got, err := MintToken(o, []string{secret}); err == nil {
			t.Errorf("%+v: minted %q", o, got)
		}
	}
}
