package cluster

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// redisServer is a real Redis of the test's own.
type redisServer struct {
	t     testing.TB
	port  int
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process is gone
	extra []string
}

func freePort(t testing.TB) int {
	t.Helper()
	// Cluster nodes also listen 10000 above, so the port must be low enough.
	for range 1000 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		if port := l.Addr().(*net.TCPAddr).Port; port < 55000 {
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

func startRedis(t testing.TB, extra ...string) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("these tests need redis-server in the PATH (Debian: apt-get install redis-server)")
	}
	s := &redisServer{t: t, extra: extra}
	t.Cleanup(s.kill)
	for range 10 {
		s.port = freePort(t)
		if s.launch() {
			return s
		}
	}
	t.Fatal("redis-server ends as soon as it starts")
	return nil
}

func (s *redisServer) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// start runs it at its port again, which somebody else may have for a moment.
func (s *redisServer) start() {
	s.t.Helper()
	waitFor(s.t, "redis-server starts", s.launch)
}

// launch says false where the process ended: somebody else took its port since
// it was found free.
func (s *redisServer) launch() bool {
	s.t.Helper()
	args := append([]string{
		"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
		"--dir", s.t.TempDir(), "--loglevel", "warning",
	}, s.extra...)
	cmd, ended := exec.Command("redis-server", args...), make(chan struct{})
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("redis-server: %v", err)
	}
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	s.cmd, s.ended = cmd, ended
	c := redis.NewClient(&redis.Options{Addr: s.addr(), MaxRetries: -1})
	defer c.Close()
	gone, pid := false, fmt.Sprintf("process_id:%d\r\n", cmd.Process.Pid)
	waitFor(s.t, "redis-server answers", func() bool {
		select {
		case <-ended:
			gone = true
			return true
		default:
		}
		info, err := c.Info(context.Background(), "server").Result()
		return err == nil && strings.Contains(info, pid) // not another test's
	})
	return !gone
}

// kill ends it without a farewell, as a power cut does.
func (s *redisServer) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.ended
	s.cmd = nil
}

func (s *redisServer) client(t testing.TB) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{
		Addr: s.addr(), MaxRetries: -1, DialerRetries: 1, DialerRetryTimeout: 10 * time.Millisecond,
		DialTimeout: time.Second, ReadTimeout: time.Second, WriteTimeout: time.Second,
	})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// quietRedis keeps go-redis from writing about lost connections to stderr.
func quietRedis() {
	redis.SetLogger(&logging.VoidLogger{})
}

// waitFor waits on a condition that only can be asked.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// What stops a process without ending its connections, and what wakes it.
const (
	stopSignal = syscall.SIGSTOP
	contSignal = syscall.SIGCONT
)

func countingDialer(dials chan<- struct{}) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		select {
		case dials <- struct{}{}:
		default:
		}
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	}
}
