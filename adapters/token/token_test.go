package token

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"strings"
	"testing"
	"time"

	"parley/models"
)

var (
	secret = []byte("a secret of the tests")
	clock  = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
)

func now() time.Time { return clock }

// hs verifies under a secret, with all else as it is by default.
func hs(secret []byte, now func() time.Time) *Verifier { return New(Options{Secret: secret, Now: now}) }

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// sign builds a token by hand, so that the library is checked from outside.
func sign(h func() hash.Hash, header, payload string, key []byte) string {
	text := b64(header) + "." + b64(payload)
	mac := hmac.New(h, key)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func hs256(payload string) string {
	return sign(sha256.New, `{"alg":"HS256","typ":"JWT"}`, payload, secret)
}

func TestVerifyAccepts(t *testing.T) {
	exp := clock.Add(time.Second).Unix()
	for name, c := range map[string]struct {
		payload string
		user    models.UserID
		expires time.Time
	}{
		"object id":             {`{"userId":"665f1c2e9b3a4d5e6f708192"}`, "665f1c2e9b3a4d5e6f708192", time.Time{}},
		"object id, upper case": {`{"userId":"665F1C2E9B3A4D5E6F708192"}`, "665f1c2e9b3a4d5e6f708192", time.Time{}},
		"other string":          {`{"userId":"alice@example.com"}`, "alice@example.com", time.Time{}},
		"number":                {`{"userId":42}`, "42", time.Time{}},
		"negative number":       {`{"userId":-7}`, "-7", time.Time{}},
		"number beyond float64": {`{"userId":9007199254740993}`, "9007199254740993", time.Time{}},
		"one second left":       {fmt.Sprintf(`{"userId":"a","exp":%d}`, exp), "a", time.Unix(exp, 0)},
		"nbf is now":            {fmt.Sprintf(`{"userId":"a","nbf":%d}`, clock.Unix()), "a", time.Time{}},
		"iat in the future":     {fmt.Sprintf(`{"userId":"a","iat":%d}`, clock.Unix()+3600), "a", time.Time{}},
		"iat no number":         {`{"userId":"a","iat":"x"}`, "a", time.Time{}},
		"exp a fraction":        {fmt.Sprintf(`{"userId":"a","exp":%d.5}`, exp), "a", time.Unix(exp, 5e8)},
		"exp in the year 9999":  {`{"userId":"a","exp":253402300799}`, "a", time.Unix(253402300799, 0)},
		"exp in milliseconds":   {fmt.Sprintf(`{"userId":"a","exp":%d}`, clock.Add(time.Hour).UnixMilli()), "a", time.Unix(latest, 0)},
		"exp beyond all times":  {`{"userId":"a","exp":1e300}`, "a", time.Unix(latest, 0)},
		"exp beyond an int64":   {`{"userId":"a","exp":9223372036854775808}`, "a", time.Unix(latest, 0)},
		"exp out of range":      {`{"userId":"a","exp":1e999}`, "a", time.Unix(latest, 0)},
		"nbf before all times":  {`{"userId":"a","nbf":-1e300}`, "a", time.Time{}},
		"further claims":        {`{"userId":"a","role":{"x":[1]},"sub":"b"}`, "a", time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := hs(secret, now).Verify(context.Background(), hs256(c.payload), true)
			if err != nil {
				t.Fatal(err)
			}
			if got.UserID != c.user || !got.ExpiresAt.Equal(c.expires) {
				t.Fatalf("got %+v", got)
			}
		})
	}
}

func TestVerifyRefuses(t *testing.T) {
	good := hs256(`{"userId":"a"}`)
	at := func(claim string, d time.Duration) string {
		return hs256(fmt.Sprintf(`{"userId":"a",%q:%d}`, claim, clock.Add(d).Unix()))
	}
	for name, c := range map[string]struct {
		raw  any
		code models.Code
	}{
		"nil":                     {nil, models.CodeTokenMissing},
		"empty":                   {"", models.CodeTokenMissing},
		"number":                  {float64(1), models.CodeTokenMalformed},
		"map":                     {map[string]any{"$ne": nil}, models.CodeTokenMalformed},
		"slice":                   {[]any{good}, models.CodeTokenMalformed},
		"bool":                    {true, models.CodeTokenMalformed},
		"blank":                   {" ", models.CodeTokenMalformed},
		"one part":                {"abc", models.CodeTokenMalformed},
		"two parts":               {"a.b", models.CodeTokenMalformed},
		"four parts":              {good + ".x", models.CodeTokenMalformed},
		"not base64":              {"!.!.!", models.CodeTokenMalformed},
		"header not JSON":         {b64("x") + "." + b64("{}") + ".", models.CodeTokenMalformed},
		"payload not JSON":        {hs256("x"), models.CodeTokenMalformed},
		"payload an array":        {hs256("[]"), models.CodeTokenMalformed},
		"signature not base64":    {good[:strings.LastIndex(good, ".")] + ".!!", models.CodeTokenMalformed},
		"too long":                {hs256(`{"userId":"` + strings.Repeat("a", maxBytes) + `"}`), models.CodeTokenMalformed},
		"payload null":            {hs256("null"), models.CodeTokenInvalid},
		"other secret":            {sign(sha256.New, `{"alg":"HS256"}`, `{"userId":"a"}`, []byte("other")), models.CodeTokenInvalid},
		"signature cut off":       {good[:strings.LastIndex(good, ".")+1], models.CodeTokenInvalid},
		"HS512":                   {sign(sha512.New, `{"alg":"HS512"}`, `{"userId":"a"}`, secret), models.CodeTokenInvalid},
		"none":                    {b64(`{"alg":"none"}`) + "." + b64(`{"userId":"a"}`) + ".", models.CodeTokenInvalid},
		"nOnE":                    {b64(`{"alg":"nOnE"}`) + "." + b64(`{"userId":"a"}`) + ".", models.CodeTokenInvalid},
		"unknown algorithm":       {sign(sha256.New, `{"alg":"X"}`, `{"userId":"a"}`, secret), models.CodeTokenInvalid},
		"no algorithm":            {sign(sha256.New, `{}`, `{"userId":"a"}`, secret), models.CodeTokenInvalid},
		"not yet valid":           {at("nbf", time.Second), models.CodeTokenInvalid},
		"expired":                 {at("exp", -time.Second), models.CodeTokenExpired},
		"expires now":             {at("exp", 0), models.CodeTokenExpired},
		"expired, other secret":   {sign(sha256.New, `{"alg":"HS256"}`, `{"userId":"a","exp":1}`, []byte("other")), models.CodeTokenInvalid},
		"exp a string":            {hs256(`{"userId":"a","exp":"tomorrow"}`), models.CodeTokenInvalid},
		"exp negative":            {hs256(`{"userId":"a","exp":-1}`), models.CodeTokenExpired},
		"exp 0":                   {hs256(`{"userId":"a","exp":0}`), models.CodeTokenExpired},
		"exp before all times":    {hs256(`{"userId":"a","exp":-1e300}`), models.CodeTokenExpired},
		"exp null":                {hs256(`{"userId":"a","exp":null}`), models.CodeTokenInvalid},
		"exp a number in quotes":  {hs256(`{"userId":"a","exp":"99999999999"}`), models.CodeTokenInvalid},
		"nbf beyond all times":    {hs256(`{"userId":"a","nbf":1e300}`), models.CodeTokenInvalid},
		"nbf out of range":        {hs256(`{"userId":"a","nbf":1e999}`), models.CodeTokenInvalid},
		"nbf in milliseconds":     {hs256(fmt.Sprintf(`{"userId":"a","nbf":%d}`, clock.UnixMilli())), models.CodeTokenInvalid},
		"nbf null":                {hs256(`{"userId":"a","nbf":null}`), models.CodeTokenInvalid},
		"crit":                    {sign(sha256.New, `{"alg":"HS256","crit":["b64"],"b64":false}`, `{"userId":"a"}`, secret), models.CodeTokenInvalid},
		"no userId":               {hs256(`{"sub":"a"}`), models.CodeTokenInvalid},
		"userId in another case":  {hs256(`{"userid":"a"}`), models.CodeTokenInvalid},
		"userId null":             {hs256(`{"userId":null}`), models.CodeTokenInvalid},
		"userId an object":        {hs256(`{"userId":{"$ne":null}}`), models.CodeTokenInvalid},
		"userId an array":         {hs256(`{"userId":["a"]}`), models.CodeTokenInvalid},
		"userId a bool":           {hs256(`{"userId":true}`), models.CodeTokenInvalid},
		"userId empty":            {hs256(`{"userId":""}`), models.CodeTokenInvalid},
		"userId over long":        {hs256(`{"userId":"` + strings.Repeat("a", 129) + `"}`), models.CodeTokenInvalid},
		"userId number over long": {hs256(`{"userId":` + strings.Repeat("1", 129) + `}`), models.CodeTokenInvalid},
		"userId a fraction":       {hs256(`{"userId":1.5}`), models.CodeTokenInvalid},
		"userId 1.0":              {hs256(`{"userId":1.0}`), models.CodeTokenInvalid},
		"userId 1e3":              {hs256(`{"userId":1e3}`), models.CodeTokenInvalid},
		"userId -0":               {hs256(`{"userId":-0}`), models.CodeTokenInvalid},
		"userId with newline":     {hs256(`{"userId":"a\nb"}`), models.CodeTokenInvalid},
		"userId with NUL":         {hs256(`{"userId":"a\u0000"}`), models.CodeTokenInvalid},
		"userId with C1 control":  {hs256(`{"userId":"a\u0085"}`), models.CodeTokenInvalid},
		"userId not UTF-8":        {hs256("{\"userId\":\"a\xff\"}"), models.CodeTokenInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := hs(secret, now).Verify(context.Background(), c.raw, true)
			if models.CodeOf(err) != c.code || got != (models.Identity{}) {
				t.Fatalf("got %+v, %v; want %s", got, err, c.code)
			}
			if s, ok := c.raw.(string); ok && len(s) > 3 && strings.Contains(err.Error(), s) {
				t.Fatalf("the error repeats the token: %v", err)
			}
		})
	}
	if _, err := hs(secret, now).Verify(context.Background(), good, false); models.CodeOf(err) != models.CodeTokenMissing {
		t.Errorf("absent: %v", err)
	}
	empty := sign(sha256.New, `{"alg":"HS256"}`, `{"userId":"a"}`, nil)
	if _, err := hs(nil, now).Verify(context.Background(), empty, true); models.CodeOf(err) != models.CodeTokenInvalid {
		t.Errorf("an empty secret let a token pass: %v", err)
	}
}

func TestMint(t *testing.T) {
	at := clock
	v := hs(secret, func() time.Time { return at })
	text, err := v.Mint("665F1C2E9B3A4D5E6F708192", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	id, err := v.Verify(context.Background(), text, true)
	if err != nil || id.UserID != "665f1c2e9b3a4d5e6f708192" || !id.ExpiresAt.Equal(clock.Add(time.Hour)) {
		t.Fatalf("got %+v, %v", id, err)
	}
	at = clock.Add(time.Hour)
	if _, err := v.Verify(context.Background(), text, true); models.CodeOf(err) != models.CodeTokenExpired {
		t.Fatalf("after its time: %v", err)
	}
	for name, mint := range map[string]func() (string, error){
		"no user":   func() (string, error) { return v.Mint("", time.Hour) },
		"no time":   func() (string, error) { return v.Mint("a", 0) },
		"no secret": func() (string, error) { return hs(nil, now).Mint("a", time.Hour) },
	} {
		if text, err := mint(); err == nil || text != "" {
			t.Errorf("%s: got %q, %v", name, text, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(hs256(`{"userId":"a"}`))
	f.Add(b64(`{"alg":"none"}`) + "." + b64(`{"userId":"a"}`) + ".")
	f.Add("..")
	f.Add(hs256(`{"userId":{"$ne":null},"exp":1e400}`))
	v := hs(secret, now)
	codes := map[models.Code]bool{models.CodeTokenMissing: true, models.CodeTokenMalformed: true,
		models.CodeTokenInvalid: true, models.CodeTokenExpired: true}
	f.Fuzz(func(t *testing.T, s string) {
		for _, text := range []string{s, hs256(s), sign(sha256.New, s, `{"userId":"a"}`, secret)} {
			id, err := v.Verify(context.Background(), text, true)
			if err != nil {
				if !codes[models.CodeOf(err)] {
					t.Fatalf("%q: %v", text, err)
				}
				continue
			}
			if canonical, ok := models.ParseUserID(string(id.UserID)); !ok || canonical != id.UserID {
				t.Fatalf("%q let %q in", text, id.UserID)
			}
			if !id.ExpiresAt.IsZero() && !clock.Before(id.ExpiresAt) {
				t.Fatalf("%q is expired", text)
			}
		}
	})
}
