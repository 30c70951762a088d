package cluster

import (
	"strconv"
	"testing"
	"time"
)

// An answer with a time we cannot have sent is not ours: it must not make all
// that came before that time count as heard.
func TestAnswersOfATimeToCome(t *testing.T) {
	now := time.Now()
	s := &subscriber{now: func() time.Time { return now }}
	s.answered(strconv.FormatInt(now.Add(-time.Second).UnixNano(), 10))
	for _, odd := range []string{"9223372036854775807", strconv.FormatInt(now.Add(time.Hour).UnixNano(), 10), "", "x", "1e9"} {
		s.answered(odd)
	}
	if at := s.heardSince(); !at.Equal(now.Add(-time.Second)) {
		t.Errorf("heard up to %v", at.Sub(now))
	}
}
