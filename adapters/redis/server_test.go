package redis

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	driver "github.com/redis/go-redis/v9"
)

// server is a real redis-server that can be killed, paused and started again.
type server struct {
	t     *testing.T
	addr  string
	args  []string // besides where to listen
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process is gone
}

func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	dir := t.TempDir()
	return startAnywhere(t, append([]string{
		"--save", "", "--appendonly", "no", "--dir", dir, "--logfile", filepath.Join(dir, "redis.log"),
	}, args...)...)
}

// startSentinel runs a sentinel with the configuration and returns its address.
func startSentinel(t *testing.T, conf string) string {
	t.Helper()
	return startAnywhere(t, conf, "--sentinel").addr
}

func startAnywhere(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{t: t, args: args}
	t.Cleanup(s.kill)
	for range 10 {
		s.addr = freeAddr(t)
		if s.launch() {
			return s
		}
	}
	t.Fatal("redis-server ends as soon as it starts")
	return nil
}

func freeAddr(t *testing.T) string {
	t.Helper()
	// Cluster nodes also listen 10000 above, so the port must be low enough.
	for range 1000 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().(*net.TCPAddr)
		_ = l.Close()
		if addr.Port < 55000 {
			return addr.String()
		}
	}
	t.Fatal("no free port")
	return ""
}

// start runs it at its address again, which somebody else may have for a moment.
func (s *server) start() {
	s.t.Helper()
	await(s.t, "redis-server to start", s.launch)
}

// launch says false where the process ended: somebody else took its port since
// it was found free.
func (s *server) launch() bool {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.addr)
	cmd, ended := exec.Command("redis-server", append(slices.Clone(s.args), "--port", port, "--bind", "127.0.0.1")...), make(chan struct{})
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("redis-server is needed for this test: %v", err)
	}
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	s.cmd, s.ended = cmd, ended
	o := &driver.Options{Addr: s.addr, MaxRetries: -1}
	if i := slices.Index(s.args, "--requirepass"); i >= 0 {
		o.Password = s.args[i+1]
	}
	c := driver.NewClient(o)
	defer c.Close()
	gone, pid := false, fmt.Sprintf("process_id:%d\r\n", cmd.Process.Pid)
	await(s.t, "redis-server to answer", func() bool {
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

func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.ended
	s.cmd = nil
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) url() string { return "redis://" + s.addr }

func startCluster(t *testing.T) *server {
	t.Helper()
	s := startServer(t, "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf")
	c := driver.NewClient(&driver.Options{Addr: s.addr})
	defer c.Close()
	if err := c.ClusterAddSlotsRange(context.Background(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	await(t, "the cluster to be up", func() bool {
		return c.Set(context.Background(), "up", 1, 0).Err() == nil
	})
	return s
}
