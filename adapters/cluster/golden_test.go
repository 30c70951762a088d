package cluster

import (
	"encoding/hex"
	"encoding/json"
	"testing"

	captures "parley/test/golden"
)

// golden is test/golden/golden.json, captured from the stock Node packages.
type golden struct {
	Classic map[string]json.RawMessage
	Emitter map[string]json.RawMessage
	Sharded map[string]json.RawMessage
	Stream  map[string]json.RawMessage
}

func loadGolden(t testing.TB) (g golden) {
	t.Helper()
	captures.Load(t, &g)
	return g
}

// sent is what a bus would send: a channel and the bytes.
type sent struct{ channel, payload string }

func goldenSent(t *testing.T, raw json.RawMessage) sent {
	t.Helper()
	var pair [2]string
	if err := json.Unmarshal(raw, &pair); err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(pair[1])
	if err != nil {
		t.Fatal(err)
	}
	return sent{pair[0], string(b)}
}

func goldenAnswers(t *testing.T, raw json.RawMessage) (out []sent) {
	t.Helper()
	var all []json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		out = append(out, goldenSent(t, one))
	}
	return out
}
