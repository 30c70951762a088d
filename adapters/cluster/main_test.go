package cluster

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	quietRedis()
	code := m.Run()
	if err := leaks(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// leaks looks longer than goleak does by itself: a go-redis pool whose dials failed probes once a second and notices only
// then that it was closed.
func leaks() error {
	var err error
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); {
		if err = goleak.Find(); err == nil {
			return nil
		}
	}
	return err
}
