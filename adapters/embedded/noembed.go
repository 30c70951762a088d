//go:build noembed

package embedded

import (
	"context"
	"errors"
	"log/slog"
)

// ErrNotBuilt is what both servers answer in a build without them.
var ErrNotBuilt = errors.New("this build has no embedded database; set MONGODB_URI and REDIS_URL")

// Mongo says that this build has no embedded database.
func Mongo(context.Context, string, *slog.Logger) (*Server, error) { return nil, ErrNotBuilt }

// Redis says that this build has no embedded database.
func Redis(context.Context, *slog.Logger) (*Server, error) { return nil, ErrNotBuilt }
