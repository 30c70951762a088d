package cluster

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// logEvery bounds the log lines about drops of one kind: Redis may be away for
// long, and anybody on it may write junk.
const logEvery = 10 * time.Second

// briefly is how many bytes of somebody else's text an error repeats.
const briefly = 64

// brief says what a value is that should have been another. Anybody on that
// Redis may have written it, megabytes of it.
func brief(v any) string {
	switch v := v.(type) {
	case string:
		if len(v) > briefly {
			return fmt.Sprintf("%q… (%d bytes)", v[:briefly], len(v))
		}
		return fmt.Sprintf("%q", v)
	case nil, bool, float64:
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("of Go type %T", v)
}

// drops counts what is lost and says so in the log now and then.
type drops struct {
	log     *slog.Logger
	metrics Metrics
	now     func() time.Time

	mu   sync.Mutex
	seen map[string]*dropped
}

type dropped struct {
	since int
	said  time.Time
}

func newDrops(log *slog.Logger, metrics Metrics, now func() time.Time) *drops {
	return &drops{log: log, metrics: metrics, now: now, seen: map[string]*dropped{}}
}

// count notes one loss; reasons are the few constants of this package.
func (d *drops) count(reason string, err error) {
	d.metrics.ClusterDropped(reason)
	d.mu.Lock()
	s := d.seen[reason]
	if s == nil {
		s = &dropped{}
		d.seen[reason] = s
	}
	s.since++
	now := d.now()
	if !s.said.IsZero() && now.Sub(s.said) < logEvery {
		d.mu.Unlock()
		return
	}
	n := s.since
	s.since, s.said = 0, now
	d.mu.Unlock()
	d.log.Warn("cluster message dropped", "reason", reason, "count", n, "error", err)
}
