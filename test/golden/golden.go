// Package golden holds what stock Node packages put on the wire, for the tests
// of the code that must write and read the same.
package golden

import (
	_ "embed"
	"encoding/json"
	"testing"
)

//go:embed golden.json
var captured []byte

// Load reads those captures into v for which it has fields.
func Load(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(captured, v); err != nil {
		t.Fatal(err)
	}
}
