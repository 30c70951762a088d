package hub

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A poll whose client goes is answered by one goroutine while its own returns.
func TestAnswerWhileTheHandlerReturns(t *testing.T) {
	t.Parallel()
	for range 200 {
		r := newResponse(httptest.NewRecorder())
		r.Header().Set("Before", "1")
		begun := make(chan struct{})
		done := make(chan error, 1)
		go func() {
			close(begun)
			r.Header().Set("Content-Type", "text/plain")
			r.WriteHeader(http.StatusOK)
			_, err := r.Write([]byte("late"))
			done <- err
		}()
		<-begun
		r.finish()
		if err := <-done; err != nil && !errors.Is(err, errReturned) {
			t.Fatal(err)
		}
	}
}

// Nothing is read from a taken connection before the handler has returned, and
// nothing of the handler's ResponseWriter is kept.
func TestHijackedConnectionIsHeld(t *testing.T) {
	t.Parallel()
	read := make(chan string, 1)
	var kept *response
	returning := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := newResponse(w)
		kept = answer
		defer answer.finish()
		conn, _, err := answer.Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			b := make([]byte, 2)
			_, err := io.ReadFull(conn, b)
			read <- string(b)
			if err != nil {
				t.Error(err)
			}
			_ = conn.Close()
		}()
		select {
		case got := <-read:
			t.Errorf("read %q while the handler ran", got)
		case <-time.After(30 * time.Millisecond):
		}
		close(returning)
	}))
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\nhi"); err != nil {
		t.Fatal(err)
	}
	<-returning
	if got := <-read; got != "hi" {
		t.Errorf("read %q", got)
	}
	kept.mu.Lock()
	if kept.inner != nil {
		t.Error("the ResponseWriter is kept")
	}
	kept.mu.Unlock()
	if _, err := kept.Write([]byte("late")); !errors.Is(err, errReturned) {
		t.Errorf("late write: %v", err)
	}
}

func TestHeldConnectionCloses(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer b.Close()
	held := &heldConn{Conn: a, ready: make(chan struct{}), closed: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		_, err := held.Read(make([]byte, 1))
		done <- err
	}()
	_ = held.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("read: %v", err)
	}
}
