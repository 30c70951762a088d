package listen

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// counts is a Metrics that can be asked.
type counts struct {
	mu      sync.Mutex
	open    int
	dropped int
}

func (c *counts) Unspoken(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = n
}

func (c *counts) Dropped(string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropped++
}

func (c *counts) get() (open, dropped int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open, c.dropped
}

// clock is moved by hand: deadlines of the kernel are not, so what is tested
// with it is who goes, not when.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// serve is an HTTP server behind a Listener, as package server makes it.
func serve(t *testing.T, o Options) (addr string, c *counts) {
	t.Helper()
	c = &counts{}
	o.Metrics = c
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{
		ReadHeaderTimeout: o.Headers, IdleTimeout: patience, ConnContext: Context,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Waited", strconv.FormatBool(Waited(r.Context())))
			_, _ = io.Copy(w, r.Body)
		}),
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(Wrap(inner.(*net.TCPListener), o)) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		if open, _ := c.get(); open != 0 {
			t.Errorf("%d connections are still counted", open)
		}
	})
	return inner.Addr().String(), c
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// closed waits for the server to close the connection; headers that are late
// may be told so before.
func closed(t *testing.T, what string, c net.Conn) {
	t.Helper()
	if b, err := io.ReadAll(c); len(b) > 0 && !bytes.HasPrefix(b, []byte("HTTP/1.1 400")) || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%s: %q, %v", what, b, err)
	}
}

// answers sends a request and reads its answer, which says whether it waited.
func answers(t *testing.T, what string, c net.Conn) (waited string) {
	t.Helper()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Errorf("%s: %v", what, err)
		return ""
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return ""
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("%s: %d %v", what, res.StatusCode, err)
	}
	return res.Header.Get("Waited")
}

// Whoever the turn is kept from waits, however late that makes its headers; others
// do not, and its second request has waited for nothing.
func TestTurns(t *testing.T) {
	t.Parallel()
	const headers = 300 * time.Millisecond
	turn, asked := make(chan struct{}), make(chan string, 2)
	addr, _ := serve(t, Options{Headers: headers, Turn: func(first []byte) bool {
		asked <- string(first)
		if !bytes.HasPrefix(first, []byte("GET ")) {
			return false
		}
		<-turn
		return true
	}})
	comes := dial(t, addr)
	if _, err := io.WriteString(comes, "GET / HT"); err != nil {
		t.Fatal(err)
	}
	if got := <-asked; got != "GET / HT" {
		t.Errorf("asked for %q", got)
	}
	other := dial(t, addr)
	if _, err := io.WriteString(other, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(other), nil)
	if err != nil || res.Header.Get("Waited") != "false" {
		t.Fatalf("the other: %v %v", res, err)
	}
	res.Body.Close()
	time.Sleep(2 * headers) // longer than it has for its headers
	close(turn)
	if _, err := io.WriteString(comes, "TP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if res, err = http.ReadResponse(bufio.NewReader(comes), nil); err != nil || res.Header.Get("Waited") != "true" {
		t.Fatalf("who waited: %v %v", res, err)
	}
	res.Body.Close()
	if waited := answers(t, "the second request", comes); waited != "false" {
		t.Errorf("the second request waited: %s", waited)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not in time: ", what)
		}
	}
}

// A balancer's connection waits for its first request; one that has begun to
// send headers is not waited for.
func TestTheFirstByteMayBeLate(t *testing.T) {
	t.Parallel()
	addr, c := serve(t, Options{Headers: 300 * time.Millisecond})
	ahead, slow := dial(t, addr), dial(t, addr)
	eventually(t, "two open", func() bool { open, _ := c.get(); return open == 2 })
	if _, err := io.WriteString(slow, "GET / HT"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one has spoken", func() bool { open, _ := c.get(); return open == 1 })
	closed(t, "slow headers", slow) // so the time for headers is over
	answers(t, "opened ahead", ahead)
	eventually(t, "all have spoken", func() bool { open, _ := c.get(); return open == 0 })
	answers(t, "opened ahead, again", ahead)
}

func TestTheFirstByteHasItsTime(t *testing.T) {
	t.Parallel()
	addr, c := serve(t, Options{Headers: 50 * time.Millisecond, Ahead: 100 * time.Millisecond})
	closed(t, "never a byte", dial(t, addr))
	eventually(t, "none open", func() bool { open, _ := c.get(); return open == 0 })
}

// What comes beyond the places has the time for headers, no more.
func TestPlaces(t *testing.T) {
	t.Parallel()
	addr, c := serve(t, Options{Headers: 300 * time.Millisecond, Places: 1})
	first, second := dial(t, addr), dial(t, addr)
	closed(t, "beyond the places", second)
	answers(t, "the first", first)
	if _, dropped := c.get(); dropped != 0 {
		t.Errorf("%d dropped", dropped)
	}
}

// Who has said nothing for longest goes, once that is longer than a client's
// first byte takes.
func TestTheOldestGoes(t *testing.T) {
	t.Parallel()
	at := &clock{at: time.Now()}
	addr, c := serve(t, Options{Headers: 10 * time.Second, Places: 2, Now: at.now})
	a, b := dial(t, addr), dial(t, addr)
	eventually(t, "two open", func() bool { open, _ := c.get(); return open == 2 })
	at.move(11 * time.Second)
	third := dial(t, addr)
	closed(t, "the oldest", a)
	answers(t, "the next", b)
	answers(t, "the newest", third)
	if _, dropped := c.get(); dropped != 1 {
		t.Errorf("%d dropped", dropped)
	}
}

func TestMost(t *testing.T) {
	t.Parallel()
	addr, c := serve(t, Options{Headers: 10 * time.Second, Places: 1, Most: 3})
	all := []net.Conn{dial(t, addr), dial(t, addr), dial(t, addr), dial(t, addr), dial(t, addr)}
	closed(t, "the oldest", all[0])
	closed(t, "the second", all[1])
	for _, conn := range all[2:] {
		answers(t, "the others", conn)
	}
	if _, dropped := c.get(); dropped != 2 {
		t.Errorf("%d dropped", dropped)
	}
}
