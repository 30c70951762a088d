// Package redis keeps presence in Redis: who has which sockets over all pods,
// since when a user is away, and which pods are alive.
//
// It owns the keys user:<id>:sockets and parley:… and touches no others. Every
// command and script names one key, or two that a hash tag keeps in one slot, so
// all of it works on Redis Cluster. What many ask at the same time goes in one
// round trip (trips.go).
// It refuses to decide what a departure means: it counts, and tells its caller.
package redis

import (
	"io"
	"log/slog"
	"time"
)

// Metrics is told how Redis does.
type Metrics interface {
	RedisError(op string)
	RedisLatency(op string, d time.Duration)
	// PodReaped counts a lost pod that was cleaned up after, and how many
	// sockets were taken out of their sets for it.
	PodReaped(sockets int)
	// StrangersRemoved counts socket ids of nobody's that were taken out of sets.
	StrangersRemoved(sockets int)
	// Dropped counts what was odd and is left out, by reason.
	Dropped(reason string)
}

type noMetrics struct{}

func (noMetrics) RedisError(string)                  {}
func (noMetrics) RedisLatency(string, time.Duration) {}
func (noMetrics) PodReaped(int)                      {}
func (noMetrics) StrangersRemoved(int)               {}
func (noMetrics) Dropped(string)                     {}

func orQuiet(logger *slog.Logger, metrics Metrics) (*slog.Logger, Metrics) {
	if logger == nil {
		logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if metrics == nil {
		metrics = noMetrics{}
	}
	return logger, metrics
}
