// Package media receives uploaded files and keeps them where clients can fetch
// them: in a directory of this pod (Local) or at Cloudinary.
//
// It owns what a file is: its type comes from its content, never from its name,
// and from what the client says only where nobody knows the content. A file is
// never held in memory as a whole. It refuses what is known to be something else
// than an image, a video or audio, and what is neither known nor declared to be
// one; and it serves nothing that a browser could run in our name.
package media

import (
	"io"
	"log/slog"
)

// Metrics is told what went wrong.
type Metrics interface {
	// MediaError counts an operation that failed through no fault of the client.
	MediaError(op string)
}

type noMetrics struct{}

func (noMetrics) MediaError(string) {}

func orQuiet(logger *slog.Logger, metrics Metrics) (*slog.Logger, Metrics) {
	if logger == nil {
		logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if metrics == nil {
		metrics = noMetrics{}
	}
	return logger, metrics
}
