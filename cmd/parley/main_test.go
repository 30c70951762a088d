package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"parley/server"
)

type runFunc func(context.Context) error

func (f runFunc) Run(ctx context.Context) error { return f(ctx) }

// world is a process that touches nothing real.
type world struct {
	process
	out, err bytes.Buffer
	signals  chan os.Signal
	exited   chan int
}

func newWorld(environ []string, run runFunc, startErr error) *world {
	w := &world{signals: make(chan os.Signal, 2), exited: make(chan int, 1)}
	w.process = process{
		environ: environ, stdout: &w.out, stderr: &w.err, signals: w.signals,
		exit: func(code int) { w.exited <- code },
		start: func(_ context.Context, cfg server.Config, _ *slog.Logger) (runner, error) {
			if cfg.Out != &w.out {
				return nil, errors.New("the demo has nowhere to print")
			}
			return run, startErr
		},
	}
	return w
}

func TestCommands(t *testing.T) {
	t.Parallel()
	const secret = "JWT_SECRET=0123456789abcdef0123456789abcdef"
	stop := runFunc(func(context.Context) error { return nil })
	for _, tc := range []struct {
		name     string
		args     []string
		env      []string
		code     int
		out, err string // what each contains
	}{
		{"no command serves", nil, nil, exitOK, "", "parley has stopped"},
		{"a flag first serves", []string{"--port=0"}, nil, exitOK, "", "parley has stopped"},
		{"serve", []string{"serve", "--port", "0"}, nil, exitOK, "", "parley has stopped"},
		{"serve --help", []string{"serve", "--help"}, nil, exitOK, "--max-text-bytes", ""},
		{"bad configuration", []string{"serve", "--port=x"}, []string{"LOG_LEVEL=loud"}, exitUsage, "", `LOG_LEVEL is "loud"`},
		{"a weak secret is said", nil, []string{"JWT_SECRET=x"}, exitOK, "", "JWT_SECRET is shorter"},
		{"unknown command", []string{"sevre"}, nil, exitUsage, "", `there is no command "sevre"`},
		{"help", []string{"help"}, nil, exitOK, "parley token --user", ""},
		{"help settings", []string{"help", "settings"}, nil, exitOK, "| `PORT` | `--port` |", ""},
		{"version", []string{"version"}, nil, exitOK, "go1.", ""},
		{"--version", []string{"--version"}, nil, exitOK, "go1.", ""},
		{"token", []string{"token", "--user", "alice"}, []string{secret}, exitOK, "eyJ", ""},
		{"token with --secret", []string{"token", "--user=alice", "--secret=x", "--ttl=1m"}, nil, exitOK, "eyJ", ""},
		{"token for nobody", []string{"token"}, []string{secret}, exitUsage, "", "--user is missing"},
		{"token without secret", []string{"token", "--user", "alice"}, nil, exitUsage, "", "there is no secret"},
		{"token that cannot be signed", []string{"token", "--user", "alice"}, []string{"JWT_ALGORITHMS=RS256"}, exitUsage, "", "there is no private key"},
		{"token where all is wrong", []string{"token", "--user", "alice", "--private-key=hunter2"}, []string{"JWT_ALGORITHMS=none"}, exitUsage, "", "--private-key is not valid"},
		{"token of no length", []string{"token", "--user", "alice", "--ttl", "0s"}, []string{secret}, exitUsage, "", "--ttl must be"},
		{"token with an unknown flag", []string{"token", "--usr", "alice"}, []string{secret}, exitUsage, "", "-usr"},
		{"token with an argument", []string{"token", "alice"}, []string{secret}, exitUsage, "", "flags only"},
		{"token for no valid user", []string{"token", "--user", "a\nb"}, []string{secret}, exitFailed, "", "cannot name a user"},
		{"token --help", []string{"token", "--help"}, nil, exitOK, "", "-ttl"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(tc.env, stop, nil)
			if code := w.run(tc.args); code != tc.code {
				t.Errorf("exit %d, want %d", code, tc.code)
			}
			if !strings.Contains(w.out.String(), tc.out) || tc.out == "" && w.out.Len() > 0 {
				t.Errorf("stdout %q, want %q", w.out.String(), tc.out)
			}
			if !strings.Contains(w.err.String(), tc.err) {
				t.Errorf("stderr %q, want %q", w.err.String(), tc.err)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(nil, nil, errors.New("the port is taken"))
	if code := w.run(nil); code != exitFailed || !strings.Contains(w.err.String(), "the port is taken") {
		t.Errorf("a failed start: exit %d, %s", code, w.err.String())
	}
	w = newWorld(nil, func(context.Context) error { return errors.New("the disk is full") }, nil)
	if code := w.run(nil); code != exitFailed || !strings.Contains(w.err.String(), "the disk is full") {
		t.Errorf("a failed run: exit %d, %s", code, w.err.String())
	}
}

func TestFirstSignalStopsCleanly(t *testing.T) {
	t.Parallel()
	w := newWorld(nil, func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	}, nil)
	w.signals <- syscall.SIGTERM
	if code := w.run(nil); code != exitOK {
		t.Errorf("exit %d, want 0", code)
	}
	select {
	case code := <-w.exited:
		t.Errorf("exited at once with %d", code)
	default:
	}
}

func TestSecondSignalExitsAtOnce(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	w := newWorld(nil, func(context.Context) error {
		<-release // a shutdown that hangs
		return nil
	}, nil)
	w.signals <- syscall.SIGINT
	w.signals <- syscall.SIGINT
	returned := make(chan int, 1)
	go func() { returned <- w.run(nil) }()
	select {
	case code := <-w.exited:
		if code != exitFailed {
			t.Errorf("exit %d, want 1", code)
		}
	case <-time.After(10 * time.Second):
		t.Error("the second signal did nothing")
	}
	close(release)
	<-returned
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	info := &debug.BuildInfo{GoVersion: "go1.26.0"}
	if got, want := describe("", info), "parley (devel) (commit unknown) go1.26.0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	info.Main.Version = "v1.0.0"
	info.Settings = []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}}
	if got, want := describe("", info), "parley v1.0.0 (commit abc, modified) go1.26.0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := describe("2.0", info), "parley 2.0 (commit abc, modified) go1.26.0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
