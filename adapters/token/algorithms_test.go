package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"hash"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/models"
)

// keys are one of each kind, made once: RSA takes a while.
var keys = sync.OnceValue(func() (k struct {
	rsa, other *rsa.PrivateKey
	weak       *rsa.PrivateKey
	p256, p384 *ecdsa.PrivateKey
	p521       *ecdsa.PrivateKey
	ed         ed25519.PrivateKey
}) {
	k.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
	k.other, _ = rsa.GenerateKey(rand.Reader, 2048)
	k.weak, _ = rsa.GenerateKey(rand.Reader, 1024)
	k.p256, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	k.p384, _ = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	k.p521, _ = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	_, k.ed, _ = ed25519.GenerateKey(rand.Reader)
	return k
})

// signer is the key each algorithm is tried with.
func signer(alg string) crypto.Signer {
	k := keys()
	return map[string]crypto.Signer{
		"RS256": k.rsa, "RS384": k.rsa, "RS512": k.rsa, "PS256": k.rsa, "PS384": k.rsa, "PS512": k.rsa,
		"ES256": k.p256, "ES384": k.p384, "ES512": k.p521, "EdDSA": k.ed,
	}[alg]
}

func signed(t *testing.T, alg string, key any, header map[string]any, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.GetSigningMethod(alg), claims)
	for name, value := range header {
		token.Header[name] = value
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func publicPEM(t *testing.T, key crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func privatePEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// expect verifies, and wants the user a, or the code.
func expect(t *testing.T, what string, v *Verifier, text string, code models.Code) {
	t.Helper()
	id, err := v.Verify(context.Background(), text, true)
	if models.CodeOf(err) != code || code == "" && id.UserID != "a" {
		t.Errorf("%s: %+v, %v; want %q", what, id, err, code)
	}
	if err != nil && strings.Contains(err.Error(), text) {
		t.Errorf("%s: the error repeats the token: %v", what, err)
	}
}

// Each algorithm takes its own tokens and those of no other, with all the keys
// there are to hand.
func TestEachAlgorithm(t *testing.T) {
	t.Parallel()
	said := jwt.MapClaims{"userId": "a", "exp": clock.Add(time.Hour).Unix()}
	tokens := map[string]string{}
	for _, alg := range Algorithms() {
		if IsSecret(alg) {
			tokens[alg] = signed(t, alg, secret, nil, said)
		} else {
			tokens[alg] = signed(t, alg, signer(alg), nil, said)
		}
	}
	if len(tokens) != 13 {
		t.Fatalf("%d algorithms", len(tokens))
	}
	for _, allowed := range Algorithms() {
		o := Options{Algorithms: []string{allowed}, Secret: secret, Now: now}
		if !IsSecret(allowed) {
			o.PublicKey = signer(allowed).Public()
			o.PrivateKey = signer(allowed)
		}
		v := New(o)
		for alg, text := range tokens {
			code := models.CodeTokenInvalid
			if alg == allowed {
				code = ""
			}
			expect(t, alg+" where "+allowed+" is allowed", v, text, code)
		}
		minted, err := v.Mint("a", time.Hour)
		if err != nil {
			t.Errorf("%s: %v", allowed, err)
		}
		expect(t, allowed+", minted", v, minted, "")
		if !v.Mints() {
			t.Errorf("%s: it does not mint", allowed)
		}
	}
	if v := New(Options{Algorithms: []string{"RS256"}, Secret: secret, PublicKey: keys().rsa.Public(), Now: now}); v.Mints() {
		t.Error("a public key signs")
	}
}

// The public key is known to everybody, and so is its text in every spelling: as
// the secret of an HS algorithm it would let everybody in.
func TestThePublicKeyIsNoSecret(t *testing.T) {
	t.Parallel()
	const said = `{"userId":"a"}`
	public := keys().rsa.Public()
	text := publicPEM(t, public)
	der, _ := x509.MarshalPKIXPublicKey(public)
	hashes := map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New}
	for name, o := range map[string]Options{
		"RS256 alone":         {Algorithms: []string{"RS256"}, PublicKey: public},
		"RS256, and a secret": {Algorithms: []string{"RS256"}, PublicKey: public, Secret: secret},
		"RS256 and HS":        {Algorithms: []string{"RS256", "HS256", "HS384", "HS512"}, PublicKey: public, Secret: secret},
		"HS without a secret": {Algorithms: []string{"HS256", "HS384", "HS512", "RS256"}, PublicKey: public},
	} {
		o.Now = now
		v := New(o)
		for alg, h := range hashes {
			for spelling, key := range map[string][]byte{
				"PEM": []byte(text), "PEM, trimmed": []byte(strings.TrimSpace(text)), "DER": der, "N": keys().rsa.N.Bytes(), "nothing": nil,
			} {
				expect(t, name+", "+alg+" under the "+spelling, v, sign(h, `{"alg":"`+alg+`"}`, said, key), models.CodeTokenInvalid)
			}
		}
		expect(t, name+", none", v, b64(`{"alg":"none"}`)+"."+b64(said)+".", models.CodeTokenInvalid)
		expect(t, name+", RS256", v, signed(t, "RS256", keys().rsa, nil, jwt.MapClaims{"userId": "a"}), "")
		expect(t, name+", RS256 of another", v, signed(t, "RS256", keys().other, nil, jwt.MapClaims{"userId": "a"}), models.CodeTokenInvalid)
	}
	// Even where somebody allows it.
	v := New(Options{Algorithms: []string{"none", "HS256"}, Secret: secret, PublicKey: public, Now: now})
	expect(t, "none, allowed", v, b64(`{"alg":"none"}`)+"."+b64(said)+".", models.CodeTokenInvalid)
	expect(t, "HS256 beside it", v, hs256(said), "")
}

// A token brings no key of its own.
func TestKeysInATokenCount(t *testing.T) {
	t.Parallel()
	v := New(Options{Algorithms: []string{"ES256"}, PublicKey: keys().p256.Public(), Now: now})
	foreign, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, header := range map[string]map[string]any{
		"jwk": {"jwk": map[string]any{"kty": "EC"}}, "jku": {"jku": "http://127.0.0.1:1/"}, "x5u": {"x5u": "http://127.0.0.1:1/"}, "kid": {"kid": "../../dev/null"},
	} {
		expect(t, name, v, signed(t, "ES256", foreign, header, jwt.MapClaims{"userId": "a"}), models.CodeTokenInvalid)
		expect(t, name+", rightly signed", v, signed(t, "ES256", keys().p256, header, jwt.MapClaims{"userId": "a"}), "")
	}
}

func TestFits(t *testing.T) {
	t.Parallel()
	k := keys()
	for kind, c := range map[string]struct {
		key  crypto.PublicKey
		fits string
	}{
		"RSA":      {k.rsa.Public(), "RS256 RS384 RS512 PS256 PS384 PS512"},
		"weak RSA": {k.weak.Public(), ""},
		"huge RSA": {&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 20000), E: 65537}, ""},
		"P-256":    {k.p256.Public(), "ES256"},
		"P-384":    {k.p384.Public(), "ES384"},
		"P-521":    {k.p521.Public(), "ES512"},
		"Ed25519":  {k.ed.Public(), "EdDSA"},
		"a secret": {secret, ""},
		"nothing":  {nil, ""},
	} {
		var fits []string
		for _, alg := range append(Algorithms(), "none", "") {
			if Fits(alg, c.key) == nil {
				fits = append(fits, alg)
			}
		}
		if got := strings.Join(fits, " "); got != c.fits {
			t.Errorf("%s fits %q, want %q", kind, got, c.fits)
		}
	}
	v := New(Options{Algorithms: []string{"RS256"}, PublicKey: k.weak.Public(), Now: now})
	expect(t, "RSA with 1024 bits", v, signed(t, "RS256", k.weak, nil, jwt.MapClaims{"userId": "a"}), models.CodeTokenInvalid)
}

func TestPEM(t *testing.T) {
	t.Parallel()
	k := keys()
	public, private := publicPEM(t, k.rsa.Public()), privatePEM(t, k.rsa)
	pkcs1 := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&k.rsa.PublicKey)}))
	sec1, _ := x509.MarshalECPrivateKey(k.p256)
	ec := "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotAfter: clock}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.rsa.Public(), k.rsa)
	if err != nil {
		t.Fatal(err)
	}
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	for name, text := range map[string]string{
		"PKIX":              public,
		"PKCS #1":           pkcs1,
		"X.509":             certificate,
		"\\n":               strings.ReplaceAll(public, "\n", `\n`),
		"\\r\\n":            strings.ReplaceAll(public, "\n", `\r\n`),
		"\\n in quotes":     `"` + strings.ReplaceAll(public, "\n", `\n`) + `"`,
		"CRLF":              strings.ReplaceAll(public, "\n", "\r\n"),
		"spaces":            strings.ReplaceAll(strings.TrimSpace(public), "\n", " "),
		"text before it":    "Bag Attributes\n  friendlyName: x\n" + public,
		"without a newline": strings.TrimSpace(public),
	} {
		key, err := ParsePublicKey(text)
		if err != nil || !IsPEM(text) || !k.rsa.PublicKey.Equal(key) {
			t.Errorf("%s: %T, %v", name, key, err)
		}
	}
	for name, key := range map[string]crypto.PublicKey{"P-256": k.p256.Public(), "Ed25519": k.ed.Public()} {
		if got, err := ParsePublicKey(publicPEM(t, key)); err != nil || describe(got) != describe(key) {
			t.Errorf("%s: %T, %v", name, got, err)
		}
	}
	for name, c := range map[string]struct{ text, says string }{
		"a private key":      {private, "private key"},
		"an EC private key":  {ec, "private key"},
		"a PKCS #1 one":      {strings.ReplaceAll(private, "PRIVATE", "RSA PRIVATE"), "private key"},
		"two keys":           {public + public, "more than one"},
		"a chain":            {certificate + certificate, "more than one"},
		"a private key, too": {public + private, "more than one"},
		"damaged":            {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "damaged"},
		"cut off":            {public[:100], "no PEM text"},
		"a request":          {strings.ReplaceAll(public, "PUBLIC KEY", "CERTIFICATE REQUEST"), "neither"},
		"nothing":            {"", "no PEM text"},
	} {
		key, err := ParsePublicKey(c.text)
		if key != nil || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %T, %v", name, key, err)
		}
		if err != nil && (strings.Contains(err.Error(), "MII") || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: the error shows the key or takes two lines: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"PKCS #8": private, "SEC 1, with the curve before it": ec, "\\n": strings.ReplaceAll(private, "\n", `\n`),
		"Ed25519": privatePEM(t, k.ed),
		"PKCS #1": string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k.rsa)})),
	} {
		if key, err := ParsePrivateKey(text); err != nil || key == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"public": public, "nothing": "", "encrypted": strings.ReplaceAll(private, "PRIVATE", "ENCRYPTED PRIVATE"),
		"damaged": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
	} {
		if key, err := ParsePrivateKey(text); err == nil || key != nil || strings.Contains(err.Error(), "MII") {
			t.Errorf("%s: %T, %v", name, key, err)
		}
	}
}
