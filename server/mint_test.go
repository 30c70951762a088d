package server

import (
	"testing"
	"time"

	"parley/adapters/token"
	"parley/models"
)

func TestMintToken(t *testing.T) {
	t.Parallel()
	minted, err := MintToken(secret32, "alice", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := token.New([]byte(secret32), time.Now).Verify(minted, true)
	if err != nil || identity.UserID != "alice" {
		t.Errorf("the token speaks for %q, %v", identity.UserID, err)
	}
	if left := time.Until(identity.ExpiresAt); left < 59*time.Minute || left > time.Hour {
		t.Errorf("the token is good for %s", left)
	}
	if _, err := token.New([]byte("another secret"), time.Now).Verify(minted, true); models.CodeOf(err) != models.CodeTokenInvalid {
		t.Errorf("under another secret: %v", err)
	}
	for _, tc := range []struct {
		secret, user string
		ttl          time.Duration
	}{{"", "alice", time.Hour}, {secret32, "", time.Hour}, {secret32, "alice", 0}} {
		if got, err := MintToken(tc.secret, tc.user, tc.ttl); err == nil {
			t.Errorf("%+v: minted %q", tc, got)
		}
	}
}
