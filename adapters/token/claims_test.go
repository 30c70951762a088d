package token

import (
	"context"
	"fmt"
	"testing"
	"time"

	"parley/models"
)

func TestUserClaim(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		claim, payload string
		user           models.UserID
	}{
		{"", `{"userId":"a","user":{"id":"b"}}`, "a"},
		{"sub", `{"userId":"a","sub":"b"}`, "b"},
		{"user.id", `{"user":{"id":"a"}}`, "a"},
		{"user.id", `{"user":{"id":42}}`, "42"},
		{"user.id", `{"user.id":"literal","user":{"id":"a"}}`, "literal"},
		{"user.id", `{"user":{"id":{"$ne":null}}}`, ""},
		{"user.id", `{"user.id":null,"user":{"id":"a"}}`, ""},
		{"user.id", `{"user":"id"}`, ""},
		{"user.id", `{"user":[{"id":"a"}]}`, ""},
		{"user.id", `{"userId":"a"}`, ""},
		{"a.b.c", `{"a":{"b":{"c":"x"}}}`, "x"},
		{"a.b.c", `{"a.b":{"c":"x"}}`, "x"},
		{"a.b.c", `{"a":{"b.c":"x"}}`, "x"},
		{"https://app.example.com/userId", `{"https://app.example.com/userId":"a"}`, "a"},
		{"https://app.example.com/user.id", `{"https://app.example.com/user":{"id":"a"}}`, "a"},
		{".id", `{"":{"id":"a"}}`, ""},
	} {
		v := New(Options{Secret: secret, UserClaim: c.claim, Now: now})
		id, err := v.Verify(context.Background(), hs256(c.payload), true)
		if id.UserID != c.user || (c.user == "") != (models.CodeOf(err) == models.CodeTokenInvalid) {
			t.Errorf("%s in %s: %q, %v", c.claim, c.payload, id.UserID, err)
		}
		minted, err := v.Mint("a", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "minted with "+c.claim, v, minted, "")
	}
}

func TestPutNests(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"userId": "map[userId:x]", "user.id": "map[user:map[id:x]]", "https://a.example/id": "map[https://a.example/id:x]", "a..b": "map[a..b:x]",
	} {
		object := map[string]any{}
		put(object, name, "x")
		if got := fmt.Sprint(object); got != want || find(object, name) != "x" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestIssuerAndAudience(t *testing.T) {
	t.Parallel()
	v := New(Options{Secret: secret, Issuers: []string{"https://id.example/", "i"}, Audiences: []string{"chat", "all"}, Now: now})
	for payload, code := range map[string]models.Code{
		`{"userId":"a","iss":"i","aud":"chat"}`:                        "",
		`{"userId":"a","iss":"https://id.example/","aud":["x","all"]}`: "",
		`{"userId":"a","iss":"https://id.example","aud":"chat"}`:       models.CodeTokenInvalid,
		`{"userId":"a","aud":"chat"}`:                                  models.CodeTokenInvalid,
		`{"userId":"a","iss":["i"],"aud":"chat"}`:                      models.CodeTokenInvalid,
		`{"userId":"a","iss":"i"}`:                                     models.CodeTokenInvalid,
		`{"userId":"a","iss":"i","aud":"Chat"}`:                        models.CodeTokenInvalid,
		`{"userId":"a","iss":"i","aud":[]}`:                            models.CodeTokenInvalid,
		`{"userId":"a","iss":"i","aud":{"chat":1}}`:                    models.CodeTokenInvalid,
		`{"userId":"a","iss":"i","aud":"chat","exp":1}`:                models.CodeTokenExpired,
	} {
		expect(t, payload, v, hs256(payload), code)
	}
	minted, err := v.Mint("a", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "minted", v, minted, "")
	expect(t, "where neither is asked for", hs(secret, now), minted, "")
}

// A clock that is off by the leeway lets nobody in who is not let out again at
// the same moment.
func TestLeeway(t *testing.T) {
	t.Parallel()
	v := New(Options{Secret: secret, Leeway: 30 * time.Second, Now: now})
	at := func(claim string, d time.Duration) string {
		return hs256(fmt.Sprintf(`{"userId":"a",%q:%d}`, claim, clock.Add(d).Unix()))
	}
	expect(t, "ended within", v, at("exp", -29*time.Second), "")
	expect(t, "ended before", v, at("exp", -30*time.Second), models.CodeTokenExpired)
	expect(t, "begins within", v, at("nbf", 30*time.Second), "")
	expect(t, "begins after", v, at("nbf", 31*time.Second), models.CodeTokenInvalid)
	expect(t, "ends never", v, hs256(`{"userId":"a","exp":1e999}`), "")
	id, err := v.Verify(context.Background(), at("exp", time.Minute), true)
	if want := clock.Add(90 * time.Second); err != nil || !id.ExpiresAt.Equal(want) {
		t.Errorf("good until %v, %v; want %v", id.ExpiresAt, err, want)
	}
}
