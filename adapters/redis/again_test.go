package redis

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	driver "github.com/redis/go-redis/v9"
)

// slow is a client hook: what is asked while it is on gets no answer in time,
// and Redis does it right after it has answered the next.
type slow struct {
	on   bool
	late []func()
}

func (s *slow) DialHook(next driver.DialHook) driver.DialHook { return next }

func (s *slow) ProcessHook(next driver.ProcessHook) driver.ProcessHook { return next }

func (s *slow) ProcessPipelineHook(next driver.ProcessPipelineHook) driver.ProcessPipelineHook {
	return func(ctx context.Context, cmds []driver.Cmder) error {
		if s.on {
			ctx := context.WithoutCancel(ctx)
			s.late = append(s.late, func() { _ = next(ctx, cmds) })
			return os.ErrDeadlineExceeded
		}
		err := next(ctx, cmds)
		for _, do := range s.late {
			do()
		}
		s.late = nil
		return err
	}
}

// A socket comes again while Redis has not done yet what it was told when it was
// refused: it must not be taken out by that.
func TestAddAfterARemovalThatIsStillUnderWay(t *testing.T) {
	t.Parallel()
	client := open(t, startServer(t).url())
	s := &slow{}
	client.AddHook(s)
	p := newPod(t, client, "a") // does nothing by itself
	ctx := context.Background()
	p.mustAdd(t, "u", "other", "s")
	s.on = true
	if _, _, err := p.Remove(ctx, "u", "s", time.Time{}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	s.on = false
	arrival, err := p.Add(ctx, "u", "s")
	if err != nil || arrival.Others != 1 {
		t.Fatal(arrival, err)
	}
	if m := members(t, client, "u"); !slices.Equal(m, []string{"other", "s"}) || len(s.late) != 0 {
		t.Errorf("members %v; %d still under way", m, len(s.late))
	}
	if hash := client.HGetAll(ctx, "parley:pod:a:sockets").Val(); hash["s"] != "u" {
		t.Errorf("in the books: %v", hash)
	}
}
