package server

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Each algorithm has one kind of key, each key an algorithm, and what is wrong is
// said without showing any key.
func TestTokenKeys(t *testing.T) {
	t.Parallel()
	public, private := pair(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file, secretFile := write("public.pem", public), write("private.pem", private)
	const (
		jwks   = "JWT_JWKS_URL=https://id.example/keys?p=hunter2"
		mongo  = "MONGODB_URI=mongodb://db"
		secret = "JWT_SECRET=" + secret32
	)
	for _, tc := range []struct {
		name string
		env  []string
		want []string // how each problem starts; none: fine
	}{
		{"RS256 and a set", []string{mongo, "JWT_ALGORITHMS=RS256", jwks}, nil},
		{"ES256 and a key", []string{mongo, "JWT_ALGORITHMS=ES256", "JWT_PUBLIC_KEY=" + public}, nil},
		{"its file", []string{mongo, "JWT_ALGORITHMS=ES256", "JWT_PUBLIC_KEY=" + file}, nil},
		{"its @file", []string{mongo, "JWT_ALGORITHMS=ES256", "JWT_PUBLIC_KEY=@" + file}, nil},
		{"a key on one line", []string{mongo, "JWT_ALGORITHMS=es256", "JWT_PUBLIC_KEY=" + strings.ReplaceAll(public, "\n", `\n`)}, nil},
		{"both kinds", []string{mongo, secret, "JWT_ALGORITHMS=HS256, ES256", "JWT_PUBLIC_KEY=" + public}, nil},
		{"a private key as the secret, as some have it", []string{mongo, "JWT_SECRET=" + private}, nil},
		{"both kinds without the secret", []string{mongo, "JWT_ALGORITHMS=HS256,RS256", jwks}, []string{"JWT_SECRET is not set"}},
		{"RS256 without a key", []string{mongo, secret, "JWT_ALGORITHMS=HS256,RS256"}, []string{"JWT_ALGORITHMS has RS256, but neither"}},
		{"RS256, embedded, without a key", []string{"JWT_ALGORITHMS=RS256"}, []string{"JWT_ALGORITHMS has RS256, but neither"}},
		{"a key for nothing", []string{mongo, secret, "JWT_PUBLIC_KEY=" + public}, []string{"JWT_PUBLIC_KEY is set, but JWT_ALGORITHMS is HS256"}},
		{"a set for nothing", []string{mongo, secret, jwks}, []string{"JWT_JWKS_URL is set, but JWT_ALGORITHMS is HS256"}},
		{"a key and a set", []string{mongo, "JWT_ALGORITHMS=ES256", jwks, "JWT_PUBLIC_KEY=" + public}, []string{"JWT_PUBLIC_KEY and JWT_JWKS_URL are both set"}},
		{"a key of another kind", []string{mongo, "JWT_ALGORITHMS=ES256,RS256", "JWT_PUBLIC_KEY=" + public}, []string{"JWT_PUBLIC_KEY does not fit JWT_ALGORITHMS: RS256 takes"}},
		{"a private key", []string{mongo, "JWT_ALGORITHMS=ES256", "JWT_PUBLIC_KEY=" + private}, []string{"JWT_PUBLIC_KEY is not valid (its value is not shown): this is a private key"}},
		{"a private key's file", []string{mongo, "JWT_ALGORITHMS=ES256", "JWT_PUBLIC_KEY=" + secretFile}, []string{"JWT_PUBLIC_KEY is not valid (its value is not shown): this is a private key"}},
		{"a public key as the secret", []string{mongo, "JWT_SECRET=" + public}, []string{"JWT_SECRET holds a public key"}},
		{"no such file", []string{mongo, "JWT_ALGORITHMS=ES256", "JWT_PUBLIC_KEY=" + strings.Repeat("hunter2", 1000)}, []string{"JWT_PUBLIC_KEY is not valid (its value is not shown): it is no PEM text, and no file"}},
		{"a directory", []string{mongo, "JWT_ALGORITHMS=ES256", "JWT_PUBLIC_KEY=" + dir}, []string{"JWT_PUBLIC_KEY is not valid (its value is not shown): its file cannot be read"}},
		{"all at once", []string{mongo, "JWT_ALGORITHMS=HS256,ES256", "JWT_PUBLIC_KEY=" + private, jwks, "JWT_LEEWAY=x", "JWT_USER_CLAIM=exp"},
			[]string{"JWT_USER_CLAIM is", "JWT_LEEWAY is", "JWT_SECRET is not set", "JWT_PUBLIC_KEY and JWT_JWKS_URL", "JWT_PUBLIC_KEY is not valid"}},
		{"no algorithm", []string{mongo, "JWT_ALGORITHMS=none", jwks}, []string{`JWT_ALGORITHMS is "none"`, "JWT_SECRET is not set"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if tc.want == nil {
				var log bytes.Buffer
				cfg := load(t, nil, tc.env...)
				slog.New(slog.NewTextHandler(&log, nil)).Info("start", "config", cfg)
				fmt.Fprintf(&log, "%v %+v %#v", cfg, cfg, cfg)
				if out := log.String(); strings.Contains(out, "hunter2") || strings.Contains(out, "BEGIN") || strings.Contains(out, "MII") {
					t.Errorf("a key or a query is shown: %s", out)
				}
				return
			}
			got := problems(t, nil, tc.env...)
			if !slices.EqualFunc(got, tc.want, strings.HasPrefix) {
				t.Errorf("got %q\nwant %q", got, tc.want)
			}
			if all := strings.Join(got, ""); strings.Contains(all, "hunter2") || strings.Contains(all, "MI") || strings.Contains(all, "BEGIN") {
				t.Errorf("a value is shown: %q", got)
			}
		})
	}
}

func TestTokenWarnings(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		env  []string
		want string
	}{
		{[]string{"JWT_ALGORITHMS=RS256", "JWT_JWKS_URL=https://id.example/keys"}, ""},
		{[]string{"JWT_ALGORITHMS=RS256", "JWT_JWKS_URL=http://127.0.0.1:1/keys"}, ""},
		{[]string{"JWT_ALGORITHMS=RS256", "JWT_JWKS_URL=http://localhost:1/keys"}, ""},
		{[]string{"JWT_ALGORITHMS=RS256", "JWT_JWKS_URL=http://id.example/keys"}, "JWT_JWKS_URL is not https"},
		{[]string{"JWT_ALGORITHMS=RS256", "JWT_JWKS_URL=https://id.example/keys", "JWT_SECRET=x"}, "JWT_SECRET is set and not used"},
	} {
		got := load(t, nil, tc.env...).Warnings()
		if len(got) > 1 || (len(got) == 1) != (tc.want != "") || len(got) == 1 && !strings.HasPrefix(got[0], tc.want) {
			t.Errorf("%q: %q, want %q", tc.env, got, tc.want)
		}
	}
}

func TestTokenSettings(t *testing.T) {
	t.Parallel()
	cfg := load(t, nil, "JWT_SECRET="+secret32, "JWT_ALGORITHMS=hs512, HS256,HS512", "JWT_AUDIENCE= a , b", "JWT_ISSUER=https://id.example/", "JWT_USER_CLAIM= https://a.example/user.id ", "JWT_LEEWAY=1m")
	if got := fmt.Sprintf("%s %s %s %s %s", cfg.JWTAlgorithms, cfg.JWTAudiences, cfg.JWTIssuers, cfg.JWTUserClaim, cfg.JWTLeeway); got != "[HS512 HS256] [a b] [https://id.example/] https://a.example/user.id 1m0s" {
		t.Error(got)
	}
	if cfg := load(t, nil, "JWT_LEEWAY=0"); cfg.JWTLeeway != 0 {
		t.Error(cfg.JWTLeeway)
	}
}
