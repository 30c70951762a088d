package token

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/MicahParks/jwkset"
)

// The bounds of an answer. Providers publish a handful of keys, some kilobytes.
const (
	maxSetBytes  = 1 << 20
	maxSetKeys   = 100
	maxRedirects = 3
)

// publicKey is one key of a set.
type publicKey struct {
	id         string
	key        crypto.PublicKey
	algorithms []string // those it may be used with
}

// fetch asks for the set. jwkset reads the keys; that it is not jwkset which
// fetches is because its client has no bounds on size, keeps tokens waiting one
// request each, and drops a set for one key it cannot read.
func (k *KeySet) fetch(ctx context.Context) ([]publicKey, error) {
	ctx, cancel := context.WithTimeout(ctx, k.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.opts.URL, nil)
	if err != nil {
		return nil, withoutAddress(err)
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	// Once in minutes, no connection is worth keeping.
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10}
	client := http.Client{Transport: transport, CheckRedirect: k.redirect}
	res, err := client.Do(req)
	if err != nil {
		return nil, withoutAddress(err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read, or is of no use
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer has status %d", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxSetBytes+1))
	switch {
	case err != nil:
		return nil, withoutAddress(err)
	case len(body) > maxSetBytes:
		return nil, fmt.Errorf("the answer has more than %d bytes", maxSetBytes)
	}
	return k.read(body)
}

// redirect lets nobody lead away from TLS.
func (k *KeySet) redirect(to *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errors.New("too many redirects")
	}
	if via[0].URL.Scheme == "https" && to.URL.Scheme != "https" {
		return errors.New("a redirect from https to something else")
	}
	return nil
}

// read takes the keys out of a set that can be of use. A set without one is
// taken for a fault of its server: what was known is kept.
func (k *KeySet) read(body []byte) ([]publicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, errors.New("the answer is not a JWK set")
	}
	if len(set.Keys) > maxSetKeys {
		return nil, fmt.Errorf("the set has more than %d keys", maxSetKeys)
	}
	var out []publicKey
	for i, raw := range set.Keys {
		key, err := readKey(raw)
		if err != nil {
			k.opts.Logger.Debug("a published key is of no use", "index", i, "error", err)
			continue
		}
		out = append(out, key)
	}
	if len(out) == 0 {
		return nil, errors.New("the set has no key that is of use")
	}
	return out, nil
}

// readKey reads a key that verifies signatures. Secrets and private parts, which
// have no business in a set that is published, are not looked at. The library
// panics on a point that is longer than its curve.
func readKey(raw json.RawMessage) (key publicKey, err error) {
	defer func() {
		if p := recover(); p != nil {
			key, err = publicKey{}, fmt.Errorf("it cannot be read: %v", p)
		}
	}()
	jwk, err := jwkset.NewJWKFromRawJSON(raw, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return publicKey{}, err
	}
	said := jwk.Marshal()
	if said.USE != "" && said.USE != jwkset.UseSig || len(said.KEYOPS) > 0 && !slices.Contains(said.KEYOPS, jwkset.KeyOpsVerify) {
		return publicKey{}, errors.New("it is not for signatures")
	}
	key = publicKey{id: said.KID, key: jwk.Key()}
	for _, alg := range Algorithms() {
		if IsSecret(alg) || said.ALG != "" && string(said.ALG) != alg {
			continue
		}
		if fit := Fits(alg, key.key); fit == nil {
			key.algorithms = append(key.algorithms, alg)
		} else {
			err = fit
		}
	}
	if len(key.algorithms) == 0 {
		return publicKey{}, errors.Join(errors.New("no algorithm takes it"), err)
	}
	return key, nil
}

// withoutAddress leaves out of an error what may hold a password.
func withoutAddress(err error) error {
	var whole *url.Error
	if errors.As(err, &whole) {
		return whole.Err
	}
	return err
}
