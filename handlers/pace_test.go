package handlers

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"parley/models"
)

// slow reads what client sends, under a clock that only waiting moves, and
// returns how much came, when it ended and how.
func slow(t *testing.T, client func(io.Writer), busy time.Duration) (n int, took time.Duration, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server, peer := net.Pipe()
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			client(peer)
			_ = peer.Close()
		}()
		p := &paced{ReadCloser: server, silence: 30 * time.Second, deadline: server.SetReadDeadline}
		began, buffer := time.Now(), make([]byte, 32<<10)
		for err == nil {
			var m int
			m, err = p.Read(buffer)
			n += m
			time.Sleep(busy)
		}
		took = time.Since(began)
		_ = server.Close()
		<-sent
	})
	return n, took, err
}

func TestABodyMayTakeItsTime(t *testing.T) {
	const size, rate = 20_000_000, 140_000
	n, took, err := slow(t, func(w io.Writer) {
		for left := size; left > 0; left -= rate {
			_, _ = w.Write(make([]byte, min(rate, left)))
			time.Sleep(time.Second)
		}
	}, 0)
	if !errors.Is(err, io.EOF) || n != size || took < 2*time.Minute {
		t.Errorf("%d bytes in %v, then %v", n, took, err)
	}
}

func TestABodyThatStops(t *testing.T) {
	n, took, err := slow(t, func(w io.Writer) {
		_, _ = w.Write(make([]byte, 100_000))
		time.Sleep(29 * time.Second)
		_, _ = w.Write(make([]byte, 10))
		time.Sleep(time.Hour)
	}, 0)
	if models.CodeOf(err) != models.CodeUploadStalled || n != 100_010 || took != 59*time.Second {
		t.Errorf("%d bytes in %v, then %v", n, took, err)
	}
	if e := models.AsError(err); statuses[e.Code] != 408 || e.RetryAfter <= 0 {
		t.Errorf("a client cannot retry on %d, after %v", statuses[e.Code], e.RetryAfter)
	}
}

func TestABodyThatDrips(t *testing.T) {
	n, took, err := slow(t, func(w io.Writer) {
		for range 1000 {
			if _, err := w.Write([]byte{0}); err != nil {
				return
			}
			time.Sleep(29 * time.Second)
		}
	}, 0)
	if models.CodeOf(err) != models.CodeUploadStalled || n > 5 || took != 2*time.Minute {
		t.Errorf("%d bytes in %v, then %v", n, took, err)
	}
}

func TestOurOwnTimeIsNotTheClients(t *testing.T) {
	n, _, err := slow(t, func(w io.Writer) {
		for range 10 {
			_, _ = w.Write([]byte{0})
		}
	}, time.Minute)
	if !errors.Is(err, io.EOF) || n != 10 {
		t.Errorf("%d bytes, then %v", n, err)
	}
}
