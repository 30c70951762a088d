package token

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// KeySetOptions say where a set of keys is published and how it is asked for.
// The zero value of a time is its default.
type KeySetOptions struct {
	URL     string // http or https
	Logger  *slog.Logger
	Metrics KeySetMetrics
	// Every is how long a set is good before it is asked for again; 10 min.
	Every time.Duration
	// Least lies between two requests, however many tokens name unknown keys; 5 s.
	Least time.Duration
	// Timeout ends a request; 5 s.
	Timeout time.Duration
	// Patience is how long a token may wait for keys; 10 s.
	Patience time.Duration
}

// KeySetMetrics is told how asking went.
type KeySetMetrics interface {
	// KeysFetched counts requests for the set, by outcome.
	KeysFetched(outcome string)
}

// The outcomes.
const (
	fetched     = "ok"
	fetchFailed = "failed"
)

// The waits after requests that failed double between these.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// maxWaiting bounds the tokens that wait for keys at once.
const maxWaiting = 1000

// KeySet knows the public keys an identity provider publishes as a JWK set.
//
// It asks for them when it starts to run, now and then, and when a token names a
// key it does not know, but then not oftener than Least. One goroutine asks, Run,
// and all tokens that wait, wait for its next request. What it knew last is good
// for as long as nothing new can be had.
type KeySet struct {
	opts KeySetOptions

	waiting atomic.Int32  // tokens
	wake    chan struct{} // somebody wants the next request soon

	mu      sync.Mutex
	known   []publicKey // never changed, only replaced; nil before the first answer
	current *request    // the one under way; nil for none
	next    *request    // the one not begun yet
}

// request is one question for the set.
type request struct {
	wanted bool          // by a token that waits
	done   chan struct{} // closed at its end
	err    error         // after that
}

func newRequest() *request { return &request{done: make(chan struct{})} }

// NewKeySet makes a KeySet that knows nothing until it runs.
func NewKeySet(o KeySetOptions) *KeySet {
	orElse := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	orElse(&o.Every, 10*time.Minute)
	orElse(&o.Least, 5*time.Second)
	orElse(&o.Timeout, 5*time.Second)
	orElse(&o.Patience, 10*time.Second)
	return &KeySet{opts: o, next: newRequest(), wake: make(chan struct{}, 1)}
}

var errNoKeys = errors.New("the keys of the tokens have not been had yet")

// Ready says whether there was an answer yet.
func (k *KeySet) Ready(context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil {
		return errNoKeys
	}
	return nil
}

// find returns the keys that may have signed by alg, those named kid alone where
// the token names one.
func (k *KeySet) find(alg, kid string) []jwt.VerificationKey {
	k.mu.Lock()
	known := k.known
	k.mu.Unlock()
	var out []jwt.VerificationKey
	for _, key := range known {
		if (kid == "" || kid == key.id) && slices.Contains(key.algorithms, alg) {
			out = append(out, key.key)
		}
	}
	return out
}

// patience bounds how long a token may wait for keys, all in all.
func (k *KeySet) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, k.opts.Patience)
}

// landed waits for the request that is under way; false says that none was, or
// that ctx ended first.
func (k *KeySet) landed(ctx context.Context) bool {
	k.mu.Lock()
	r := k.current
	k.mu.Unlock()
	return r != nil && k.wait(ctx, r) == nil
}

// renewed returns when the set has been asked for by a request that began after
// the call, and how that went.
func (k *KeySet) renewed(ctx context.Context) error {
	k.mu.Lock()
	r := k.next
	r.wanted = true
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
	if err := k.wait(ctx, r); err != nil {
		return err
	}
	return r.err
}

func (k *KeySet) wait(ctx context.Context, r *request) error {
	if k.waiting.Add(1) > maxWaiting {
		k.waiting.Add(-1)
		return errors.New("too many tokens wait for keys")
	}
	defer k.waiting.Add(-1)
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run asks for the set until ctx ends.
func (k *KeySet) Run(ctx context.Context) error {
	retry := firstRetry
	for {
		err := k.ask(ctx)
		if ctx.Err() != nil {
			return nil
		}
		pause := jitter(k.opts.Every)
		if err != nil {
			k.opts.Logger.Warn("the tokens' keys cannot be had; what was known is kept", "error", err)
			pause, retry = jitter(retry), min(2*retry, lastRetry)
		} else {
			retry = firstRetry
		}
		if !k.rest(ctx, pause) {
			return nil
		}
	}
}

// ask makes the next request and lets those know who wait for it.
func (k *KeySet) ask(ctx context.Context) error {
	k.mu.Lock()
	r := k.next
	k.current, k.next = r, newRequest()
	k.mu.Unlock()
	keys, err := k.fetch(ctx)
	outcome := fetched
	if err != nil {
		outcome = fetchFailed
	}
	k.opts.Metrics.KeysFetched(outcome)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		if k.known == nil {
			k.opts.Logger.Info("the tokens' keys are known", "keys", len(keys))
		}
		k.known = keys
	}
	k.current, r.err = nil, err
	close(r.done)
	return err
}

// rest waits for pause to pass, or for Least where a token waits; false says that
// ctx has ended.
func (k *KeySet) rest(ctx context.Context, pause time.Duration) bool {
	long, short := time.NewTimer(pause), time.NewTimer(min(pause, k.opts.Least))
	defer long.Stop()
	defer short.Stop()
	rested := false
	for {
		select {
		case <-ctx.Done():
			return false
		case <-long.C:
			return true
		case <-short.C:
			rested = true
		case <-k.wake:
		}
		k.mu.Lock()
		wanted := k.next.wanted
		k.mu.Unlock()
		if rested && wanted {
			return true
		}
	}
}

// jitter keeps pods that started together from asking together.
func jitter(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/4+1)) //nolint:gosec // no secret
}
