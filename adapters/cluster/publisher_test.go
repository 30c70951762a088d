package cluster

import (
	"testing"
	"time"
)

// A pod that has just come may not be counted yet when the connection breaks, and
// that is noticed only some time later.
func TestPodsThatWereNotSettledAreWaitedFor(t *testing.T) {
	now := time.Now()
	for name, tt := range map[string]struct {
		changed, counted time.Time
		want             time.Duration
	}{
		"never counted":                   {time.Time{}, time.Time{}, regroupFloor},
		"a change just before the break":  {now.Add(-time.Second), now, regroupFloor},
		"the same, noticed late":          {now.Add(-settledAfter - 2*time.Second), now.Add(-settledAfter - time.Second), regroupFloor},
		"long the same":                   {now.Add(-time.Hour), now, 0},
		"long the same, and noticed late": {now.Add(-time.Hour), now.Add(-settledAfter), 0},
	} {
		p := &publisher{changed: tt.changed, counted: tt.counted}
		if got := p.floor(); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
