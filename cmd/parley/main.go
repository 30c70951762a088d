// Command parley runs a chat delivery server.
//
// It owns the process: arguments, signals, exit codes and the logger. It
// refuses everything else, which is package server's.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"parley/server"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// version is what a release build is called: -ldflags "-X main.version=1.2.3".
var version string

// process is what a command may use of the world.
type process struct {
	environ        []string
	stdout, stderr io.Writer
	terminal       bool // stderr is one
	signals        <-chan os.Signal
	exit           func(code int)
	start          func(ctx context.Context, cfg server.Config, logger *slog.Logger) (runner, error)
}

type runner interface {
	Run(ctx context.Context) error
}

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	p := process{
		environ: os.Environ(), stdout: os.Stdout, stderr: os.Stderr, terminal: isTerminal(os.Stderr),
		signals: signals, exit: os.Exit,
		start: func(ctx context.Context, cfg server.Config, logger *slog.Logger) (runner, error) {
			return server.New(ctx, cfg, logger)
		},
	}
	os.Exit(p.run(os.Args[1:]))
}

func (p process) run(args []string) int {
	command := "serve"
	if len(args) > 0 && (args[0] == "--version" || args[0] == "-v") {
		command = "version"
	} else if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	switch command {
	case "serve":
		return p.serve(args)
	case "token":
		return p.token(args)
	case "version":
		return p.print(versionLine())
	case "help":
		return p.help(args)
	}
	fmt.Fprintf(p.stderr, "parley: there is no command %q; there are serve, token, version and help\n", shortened(command))
	return exitUsage
}

func (p process) print(text string) int {
	if _, err := fmt.Fprintln(p.stdout, text); err != nil {
		return exitFailed
	}
	return exitOK
}

// shortened keeps a pasted novel, or secret, out of the log.
func shortened(s string) string {
	if len(s) > 20 {
		return s[:20] + "…"
	}
	return s
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
