//go:build !noembed

// Command mongod runs the embedded MongoDB-protocol server by itself, so that
// several pods under test can share one. It prints mongodb://127.0.0.1:PORT/
// as its first line on stdout and ends on SIGTERM or when stdin is closed.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"parley/adapters/embedded"
)

func main() {
	dir := flag.String("dir", "", "directory for the data; empty: a temporary one, removed at the end")
	port := flag.Int("port", 0, "port on 127.0.0.1; 0: a free one")
	flag.Parse()
	if err := run(*dir, *port); err != nil {
		fmt.Fprintln(os.Stderr, "mongod:", err)
		os.Exit(1)
	}
}

func run(dir string, port int) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if dir == "" {
		if dir, err = os.MkdirTemp("", "mongod-"); err != nil {
			return err
		}
		defer func() {
			if e := os.RemoveAll(dir); err == nil {
				err = e
			}
		}()
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	server, err := embedded.MongoAt(ctx, dir, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), logger)
	if err != nil {
		return err
	}
	u, err := url.Parse(server.URI())
	if err != nil {
		return err
	}
	fmt.Printf("mongodb://%s/\n", u.Host)
	go func() {
		// Whoever started it holds the other end, and letting go of it means stop.
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	<-ctx.Done()
	wait, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return server.Close(wait)
}
