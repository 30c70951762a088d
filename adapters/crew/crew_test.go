package crew

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// Who waits waits for those too that are started meanwhile.
func TestWaitIsForTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Crew
		if err := c.Wait(t.Context()); err != nil {
			t.Fatal("nobody is there:", err)
		}
		first, second, waited := make(chan struct{}), make(chan struct{}), make(chan error, 2)
		c.Run(func() {
			<-first
			c.Run(func() { <-second })
		})
		for range 2 {
			go func() { waited <- c.Wait(context.Background()) }()
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.Wait(ended); !errors.Is(err, context.Canceled) {
			t.Error("it has not waited:", err)
		}
		close(first)
		synctest.Wait()
		if len(waited) != 0 {
			t.Error("one is still at work")
		}
		close(second)
		for range 2 {
			if err := <-waited; err != nil {
				t.Error(err)
			}
		}
		c.Run(func() {})
		if err := c.Wait(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
