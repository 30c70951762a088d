package redis

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

// testTTL is short, and long enough for a busy machine: a refresh each 0.5 s.
const testTTL = 3 * time.Second

// server is a real redis-server that can be killed, paused and started again.
type server struct {
	t    *testing.T
	addr string
	dir  string
	args []string
	cmd  *exec.Cmd
	log  string
}

func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), args: args}
	s.addr = freeAddr(t)
	t.Cleanup(s.kill)
	s.start()
	return s
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

func (s *server) start() {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.addr)
	s.log = filepath.Join(s.dir, "redis.log")
	args := append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.dir, "--logfile", s.log}, s.args...)
	s.cmd = exec.Command("redis-server", args...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("redis-server is needed for this test: %v", err)
	}
	c := driver.NewClient(&driver.Options{Addr: s.addr, MaxRetries: -1})
	defer c.Close()
	await(s.t, "redis-server to answer", func() bool {
		err := c.Ping(context.Background()).Err()
		return err == nil || strings.HasPrefix(err.Error(), "NOAUTH")
	})
}

func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
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

func open(t *testing.T, url string) driver.UniversalClient {
	t.Helper()
	c, err := Open(Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// told collects what the callbacks say.
type told struct {
	mu       sync.Mutex
	reaped   []departed
	late     []departed
	restored []models.SocketID
	others   []int
}

type departed struct {
	models.Departure
	left int
}

func (c *told) callbacks() Callbacks {
	return Callbacks{
		OnReaped: func(_ context.Context, d models.Departure, left int) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.reaped = append(c.reaped, departed{d, left})
		},
		OnLate: func(_ context.Context, d models.Departure, left int) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.late = append(c.late, departed{d, left})
		},
		OnRestored: func(_ context.Context, _ models.UserID, socket models.SocketID, others int) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.restored = append(c.restored, socket)
			c.others = append(c.others, others)
		},
	}
}

func (c *told) counts() (reaped, late, restored int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.reaped), len(c.late), len(c.restored)
}

// pod is a Presence that runs.
type pod struct {
	*Presence
	told *told
	stop func() // ends Run without Close: what kill -9 leaves behind
}

func newPod(t *testing.T, client driver.UniversalClient, id string) *pod {
	t.Helper()
	c := &told{}
	p, err := NewPresence(PresenceOptions{Client: client, PodID: id, TTL: testTTL, Callbacks: c.callbacks()})
	if err != nil {
		t.Fatal(err)
	}
	return &pod{Presence: p, told: c}
}

func startPod(t *testing.T, client driver.UniversalClient, id string) *pod {
	t.Helper()
	p := newPod(t, client, id)
	p.run(t)
	await(t, id+" to be listed", func() bool { return client.ZScore(context.Background(), "parley:pods", id).Err() == nil })
	return p
}

func (p *pod) run(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	var once sync.Once
	p.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(p.stop)
}

func (p *pod) mustAdd(t *testing.T, user models.UserID, sockets ...models.SocketID) {
	t.Helper()
	for _, s := range sockets {
		if _, err := p.Add(context.Background(), user, s); err != nil {
			t.Fatal(err)
		}
	}
}

func members(t *testing.T, c driver.UniversalClient, user models.UserID) []string {
	t.Helper()
	m, err := c.SMembers(context.Background(), "user:"+string(user)+":sockets").Result()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(m)
	return m
}

// proxy stands between a client and Redis and can cut the line.
type proxy struct {
	addr    string
	listen  net.Listener
	blocked atomic.Bool // nothing passes, connections break
	mu      sync.Mutex
	conns   []net.Conn
}

func startProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String(), listen: l}
	t.Cleanup(func() { _ = l.Close(); p.block() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			if p.blocked.Load() {
				_ = in.Close()
				continue
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, in, out)
			p.mu.Unlock()
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
			go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
		}
	}()
	return p
}

func (p *proxy) block() {
	p.blocked.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

// deaf is a client hook: Redis does what it is told, and the answer gets lost.
type deaf struct{ on atomic.Bool }

func (d *deaf) lose(err error) error {
	if d.on.Load() {
		return os.ErrDeadlineExceeded
	}
	return err
}

func (d *deaf) DialHook(next driver.DialHook) driver.DialHook { return next }

func (d *deaf) ProcessHook(next driver.ProcessHook) driver.ProcessHook {
	return func(ctx context.Context, cmd driver.Cmder) error { return d.lose(next(ctx, cmd)) }
}

func (d *deaf) ProcessPipelineHook(next driver.ProcessPipelineHook) driver.ProcessPipelineHook {
	return func(ctx context.Context, cmds []driver.Cmder) error { return d.lose(next(ctx, cmds)) }
}

func socketName(i int) models.SocketID { return models.SocketID("socket-" + strconv.Itoa(i)) }
func userName(i int) models.UserID     { return models.UserID(fmt.Sprintf("user-%d", i)) }

// startSentinel runs a sentinel with the configuration and returns its address.
func startSentinel(t *testing.T, conf string) string {
	t.Helper()
	addr := freeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command("redis-server", conf, "--sentinel", "--port", port, "--bind", "127.0.0.1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return addr
}

// The driver says on stderr what the tests do to it on purpose.
func TestMain(m *testing.M) {
	RouteDriverLog(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}
