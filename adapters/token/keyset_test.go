package token

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"parley/models"
)

// provider publishes a set of keys, or whatever it is told to answer with.
type provider struct {
	*httptest.Server
	asked  atomic.Int32
	answer atomic.Pointer[http.HandlerFunc]
}

func newProvider(t *testing.T) *provider {
	p := &provider{}
	p.publish(t)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		(*p.answer.Load())(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) does(h http.HandlerFunc) { p.answer.Store(&h) }
func (p *provider) says(body string) {
	p.does(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
}
func (p *provider) publish(t *testing.T, set ...map[string]any) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"keys": append([]map[string]any{}, set...)})
	if err != nil {
		t.Fatal(err)
	}
	p.says(string(body))
}

// jwk is a public key as a provider spells it, with more members or others.
func jwk(t *testing.T, kid string, key crypto.PublicKey, more ...string) map[string]any {
	t.Helper()
	made, err := jwkset.NewJWKFromKey(key, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid}})
	if err != nil {
		t.Fatal(err)
	}
	body, _ := json.Marshal(made.Marshal())
	out := map[string]any{}
	_ = json.Unmarshal(body, &out)
	delete(out, "alg")
	for i := 0; i+1 < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

type outcomes struct {
	mu sync.Mutex
	n  map[string]int
}

func (o *outcomes) KeysFetched(outcome string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.n == nil {
		o.n = map[string]int{}
	}
	o.n[outcome]++
}

func (o *outcomes) count(outcome string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.n[outcome]
}

// running is a verifier of the keys the provider publishes, asked for again
// without much ado. It stops with the test, and leaves nothing running.
func running(t *testing.T, url string, change func(*KeySetOptions), algorithms ...string) (*Verifier, *KeySet, *outcomes) {
	t.Helper()
	told := &outcomes{}
	o := KeySetOptions{URL: url, Logger: slog.New(slog.DiscardHandler), Metrics: told, Every: time.Hour, Least: time.Millisecond}
	if change != nil {
		change(&o)
	}
	set := NewKeySet(o)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- set.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return New(Options{Algorithms: algorithms, Keys: set, Secret: secret, Now: now}), set, told
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func by(t *testing.T, alg, kid string, key any) string {
	t.Helper()
	header := map[string]any{}
	if kid != "" {
		header["kid"] = kid
	}
	return signed(t, alg, key, header, jwt.MapClaims{"userId": "a"})
}

func TestPublishedKeys(t *testing.T) {
	t.Parallel()
	k := keys()
	p := newProvider(t)
	octet := base64.RawURLEncoding.EncodeToString(secret)
	p.publish(t,
		jwk(t, "r", k.rsa.Public(), "use", "sig"), jwk(t, "only512", k.other.Public(), "alg", "RS512"),
		jwk(t, "e", k.p256.Public()), jwk(t, "e3", k.p384.Public(), "alg", "ES384"), jwk(t, "d", k.ed.Public(), "alg", "EdDSA"),
		jwk(t, "weak", k.weak.Public()), jwk(t, "enc", k.p521.Public(), "use", "enc"),
		map[string]any{"kty": "oct", "kid": "o", "k": octet}, map[string]any{"kty": "oct", "kid": "r", "k": octet, "alg": "HS256"},
		map[string]any{"kty": "XX", "kid": "r"}, map[string]any{"kid": 7}, map[string]any{},
	)
	all := []string{"RS256", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"}
	v, _, _ := running(t, p.URL, nil, all...)
	for _, c := range []struct {
		what, alg, kid string
		key            any
		code           models.Code
	}{
		{"RSA by its name", "RS256", "r", k.rsa, ""},
		{"RSA, PSS", "PS256", "r", k.rsa, ""},
		{"RSA without a name", "RS256", "", k.rsa, ""},
		{"RSA by another's name", "RS256", "e", k.rsa, models.CodeTokenInvalid},
		{"RSA by no known name", "RS256", "x", k.rsa, models.CodeTokenInvalid},
		{"the alg of the key", "RS512", "only512", k.other, ""},
		{"another than the alg of the key", "RS256", "only512", k.other, models.CodeTokenInvalid},
		{"another, without a name", "RS256", "", k.other, models.CodeTokenInvalid},
		{"P-256", "ES256", "e", k.p256, ""},
		{"P-384", "ES384", "e3", k.p384, ""},
		{"Ed25519", "EdDSA", "d", k.ed, ""},
		{"a weak key", "RS256", "weak", k.weak, models.CodeTokenInvalid},
		{"a key to encrypt with", "ES512", "enc", k.p521, models.CodeTokenInvalid},
		{"a published secret", "HS256", "o", secret, models.CodeTokenInvalid},
		{"a foreign key by a known name", "RS256", "r", k.other, models.CodeTokenInvalid},
	} {
		expect(t, c.what, v, by(t, c.alg, c.kid, c.key), c.code)
	}
	// With HS256 beside it, the secret is the one configured and no other.
	o := v.opts
	o.Algorithms, o.Secret = append(all, "HS256"), []byte("another secret altogether")
	mixed := New(o)
	expect(t, "a published secret, HS256 allowed", mixed, by(t, "HS256", "r", secret), models.CodeTokenInvalid)
	expect(t, "the secret", mixed, by(t, "HS256", "r", o.Secret), "")
	expect(t, "RSA beside it", mixed, by(t, "RS256", "r", k.rsa), "")
}

// An owner of keys changes them: the token that names the new one is waited for,
// and the old one is out.
func TestRotation(t *testing.T) {
	t.Parallel()
	k := keys()
	p := newProvider(t)
	p.publish(t, jwk(t, "1", k.rsa.Public()))
	v, _, _ := running(t, p.URL, nil, "RS256", "ES256")
	expect(t, "the first", v, by(t, "RS256", "1", k.rsa), "")
	p.publish(t, jwk(t, "1", k.rsa.Public()), jwk(t, "2", k.p256.Public()))
	expect(t, "the second", v, by(t, "ES256", "2", k.p256), "")
	expect(t, "the first, beside it", v, by(t, "RS256", "1", k.rsa), "")
	p.publish(t, jwk(t, "3", k.other.Public()))
	expect(t, "the third", v, by(t, "RS256", "3", k.other), "")
	expect(t, "the first, revoked", v, by(t, "RS256", "1", k.rsa), models.CodeTokenInvalid)
	// Without names, a signature that fits no known key is all there is to see.
	p.publish(t, jwk(t, "", k.rsa.Public()))
	expect(t, "nameless", v, by(t, "RS256", "", k.rsa), "")
	p.publish(t, jwk(t, "", k.other.Public()))
	expect(t, "nameless, changed", v, by(t, "RS256", "", k.other), "")
}

// However many tokens name keys that nobody has, the provider is asked a few
// times, and who comes with a good token does not wait.
func TestUnknownKeysAskSeldom(t *testing.T) {
	t.Parallel()
	k := keys()
	p := newProvider(t)
	p.publish(t, jwk(t, "1", k.p256.Public()))
	v, _, _ := running(t, p.URL, func(o *KeySetOptions) { o.Least = 100 * time.Millisecond }, "ES256")
	expect(t, "the first", v, by(t, "ES256", "1", k.p256), "")
	begun := time.Now()
	var group sync.WaitGroup
	for i := range 300 {
		text := by(t, "ES256", fmt.Sprint("unknown", i), k.p256)
		group.Go(func() { expect(t, "unknown", v, text, models.CodeTokenInvalid) })
	}
	for range 50 {
		if _, unsettled, err := v.once(by(t, "ES256", "1", k.p256)); unsettled || err != nil {
			t.Errorf("a good token waits: %v", err)
		}
	}
	group.Wait()
	if n, most := int(p.asked.Load()), 3+int(time.Since(begun)/(100*time.Millisecond)); n < 2 || n > most {
		t.Errorf("asked %d times in %v", n, time.Since(begun))
	}
}

func TestTooManyWait(t *testing.T) {
	t.Parallel()
	set := NewKeySet(KeySetOptions{Logger: slog.New(slog.DiscardHandler), Metrics: &outcomes{}})
	set.waiting.Store(maxWaiting)
	v := New(Options{Algorithms: []string{"ES256"}, Keys: set, Now: now})
	_, err := v.Verify(context.Background(), by(t, "ES256", "1", keys().p256), true)
	if models.CodeOf(err) != models.CodeUnavailable || !strings.Contains(err.Error(), "too many") {
		t.Errorf("one more: %v", err)
	}
	if n := set.waiting.Load(); n != maxWaiting {
		t.Errorf("%d wait", n)
	}
}

// A provider that is away when the pod starts says nothing about tokens. They
// are waited for, or refused as unavailable, and all is well once it is there.
func TestProviderAwayAtFirst(t *testing.T) {
	t.Parallel()
	k := keys()
	p := newProvider(t)
	p.does(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "later", http.StatusBadGateway) })
	v, set, told := running(t, p.URL, nil, "ES256", "HS256")
	text := by(t, "ES256", "1", k.p256)
	expect(t, "while it is away", v, text, models.CodeUnavailable)
	if set.Ready(context.Background()) == nil {
		t.Error("ready without keys")
	}
	expect(t, "HS256 meanwhile", v, hs256(`{"userId":"a"}`), "")
	expect(t, "garbage meanwhile", v, "a.b.c", models.CodeTokenMalformed)
	expect(t, "an algorithm that is not allowed, meanwhile", v, by(t, "RS256", "1", k.rsa), models.CodeTokenInvalid)
	p.publish(t, jwk(t, "1", k.p256.Public()))
	expect(t, "once it is there", v, text, "")
	if err := set.Ready(context.Background()); err != nil {
		t.Error(err)
	}
	if told.count(fetchFailed) == 0 || told.count(fetched) == 0 {
		t.Errorf("told %v", told.n)
	}
}

// Whatever comes instead of a set, what was known last is good, and a key that
// is not known is our trouble and not the token's.
func TestLastGoodIsKept(t *testing.T) {
	t.Parallel()
	k := keys()
	good := jwk(t, "1", k.p256.Public())
	body, _ := json.Marshal(map[string]any{"keys": []any{good}})
	padded := `{"keys":[` + strings.Repeat(" ", maxSetBytes) + strings.TrimPrefix(string(body), `{"keys":[`)
	many, _ := json.Marshal(map[string]any{"keys": slices.Repeat([]any{good}, maxSetKeys+1)})
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(s)) }
	}
	for name, answer := range map[string]http.HandlerFunc{
		"an error":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); _, _ = w.Write(body) },
		"a 204":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"HTML":            text("<html>"),
		"nothing":         text(""),
		"null":            text("null"),
		"a list":          text("[]"),
		"no keys":         text("{}"),
		"an empty set":    text(`{"keys":[]}`),
		"keys of no use":  text(`{"keys":[{"kty":"oct","k":"AAAA"},{"kty":"RSA","n":"","e":"AQAB"},null,7,"x"]}`),
		"cut off":         text(string(body[:len(body)-3])),
		"too large":       text(padded),
		"padded":          text(string(body) + strings.Repeat(" ", maxSetBytes)),
		"without end":     func(w http.ResponseWriter, r *http.Request) { flood(w, r) },
		"too many keys":   text(string(many)),
		"silence":         func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"a closed door":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"round and round": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) },
		"a strange scheme": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(302)
		},
		// What a library might stumble over.
		"a point too long":    text(`{"keys":[{"kty":"EC","crv":"P-256","kid":"2","x":"` + strings.Repeat("A_", 100) + `","y":"` + strings.Repeat("A_", 100) + `"}]}`),
		"no point":            text(`{"keys":[{"kty":"EC","crv":"P-256","kid":"2","x":"AQ","y":"AQ"}]}`),
		"an exponent of 1":    text(`{"keys":[{"kty":"RSA","kid":"2","n":"` + strings.Repeat("_", 400) + `","e":"AQ"}]}`),
		"a modulus too large": text(`{"keys":[{"kty":"RSA","kid":"2","n":"` + strings.Repeat("_", 100_000) + `","e":"AQAB"}]}`),
		"certificates":        text(`{"keys":[{"kty":"EC","crv":"P-256","kid":"2","x":"AQ","y":"AQ","x5c":["AAAA"],"x5u":"http://127.0.0.1:1/"}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			p.publish(t, good)
			v, set, told := running(t, p.URL, func(o *KeySetOptions) {
				o.Timeout, o.Every = time.Hour, 20*time.Millisecond // what has no end is ended by its size
				if name == "silence" {
					o.Timeout = time.Second
				}
			}, "ES256", "RS256")
			expect(t, "before", v, by(t, "ES256", "1", k.p256), "")
			p.does(answer)
			before := told.count(fetchFailed)
			eventually(t, "a request that fails", func() bool { return told.count(fetchFailed) > before })
			expect(t, "after", v, by(t, "ES256", "1", k.p256), "")
			if err := set.Ready(context.Background()); err != nil {
				t.Error(err)
			}
			expect(t, "unknown meanwhile", v, by(t, "ES256", "2", k.p256), models.CodeUnavailable)
			p.publish(t, good)
			expect(t, "unknown, once it is back", v, by(t, "ES256", "2", k.p256), models.CodeTokenInvalid)
		})
	}
}

// A request under way is enough for all who come meanwhile, and a client that
// gives up is not held.
func TestWaitingIsBounded(t *testing.T) {
	t.Parallel()
	k := keys()
	p := newProvider(t)
	release, begun := make(chan struct{}), make(chan struct{}, 8)
	set, _ := json.Marshal(map[string]any{"keys": []any{jwk(t, "1", k.p256.Public())}})
	p.does(func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
		_, _ = w.Write(set)
	})
	v, _, _ := running(t, p.URL, func(o *KeySetOptions) { o.Timeout, o.Least = time.Minute, time.Hour }, "ES256")
	<-begun
	text := by(t, "ES256", "1", k.p256)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := v.Verify(ctx, text, true); models.CodeOf(err) != models.CodeUnavailable {
		t.Errorf("a client that is gone: %v", err)
	}
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() { expect(t, "meanwhile", v, text, "") })
	}
	eventually(t, "all wait", func() bool { return v.opts.Keys.waiting.Load() == 20 })
	close(release)
	group.Wait()
	if n := p.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if n := v.opts.Keys.waiting.Load(); n != 0 {
		t.Errorf("%d wait still", n)
	}
}

func TestRedirectsKeepTLS(t *testing.T) {
	t.Parallel()
	set := NewKeySet(KeySetOptions{})
	from, _ := http.NewRequest(http.MethodGet, "https://id.example/keys", nil)
	for to, ok := range map[string]bool{"https://other.example/": true, "http://id.example/keys": false} {
		next, _ := http.NewRequest(http.MethodGet, to, nil)
		if err := set.redirect(next, []*http.Request{from}); (err == nil) != ok {
			t.Errorf("to %s: %v", to, err)
		}
	}
}

// The address may hold a password.
func TestTheAddressStaysOutOfTheLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	set := NewKeySet(KeySetOptions{URL: "http://user:hunter2@127.0.0.1:1/?key=hunter2", Logger: slog.New(slog.NewTextHandler(&log, nil)), Metrics: &outcomes{}})
	_, err := set.fetch(context.Background())
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

func FuzzPublishedKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"2","x":"AQ","y":"AQ"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"` + strings.Repeat("_", 400) + `","e":"AQAB","alg":"RS256","use":"sig","key_ops":["verify"]}]}`))
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},{"kty":"oct","k":"AAAA"}]}`))
	set := NewKeySet(KeySetOptions{Logger: slog.New(slog.DiscardHandler)})
	f.Fuzz(func(t *testing.T, body []byte) {
		known, err := set.read(body)
		if (err == nil) != (len(known) > 0) {
			t.Fatalf("%d keys, %v", len(known), err)
		}
		for _, key := range known {
			for _, alg := range key.algorithms {
				if IsSecret(alg) || Fits(alg, key.key) != nil {
					t.Fatalf("%T for %s", key.key, alg)
				}
			}
		}
	})
}

func flood(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		if _, err := w.Write(bytes.Repeat([]byte(" "), 64<<10)); err != nil {
			return
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}
