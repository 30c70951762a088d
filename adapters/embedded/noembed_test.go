//go:build noembed

package embedded_test

import (
	"errors"
	"log/slog"
	"testing"

	"parley/adapters/embedded"
)

func TestABuildWithoutServersSaysSo(t *testing.T) {
	if _, err := embedded.Mongo(t.Context(), t.TempDir(), slog.Default()); !errors.Is(err, embedded.ErrNotBuilt) {
		t.Error(err)
	}
	if _, err := embedded.Redis(t.Context(), slog.Default()); !errors.Is(err, embedded.ErrNotBuilt) {
		t.Error(err)
	}
}
