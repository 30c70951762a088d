package engineio

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain fails where a goroutine is left.
func TestMain(m *testing.M) {
	code := m.Run()
	if err := leaks(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func leaks() error {
	var err error
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); {
		if err = goleak.Find(); err == nil {
			return nil
		}
	}
	return err
}
