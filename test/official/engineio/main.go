// Command engineio serves what the official suite of Engine.IO asks for: an echo
// of every message at /engine.io/, with heartbeats of 300 and 200 ms.
//
//	PORT        3000
//	ALLOW_EIO3  true lets clients of protocol 3 in
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"parley/adapters/engineio"
)

type echo struct{}

func (echo) Open(*engineio.Session) {}

func (echo) Message(s *engineio.Session, data []byte, binary bool) {
	s.Push(engineio.NewFrame(data, binary))
	s.Flush()
}

func (echo) Close(*engineio.Session, engineio.Reason, error) {}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	port := os.Getenv("PORT")
	if port == "" {
		port = "3000"
	}
	engine, err := engineio.New(engineio.Options{
		PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond, MaxPayload: 1_000_000,
		AllowEIO3: os.Getenv("ALLOW_EIO3") == "true",
	}, echo{})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("localhost", port))
	if err != nil {
		return errors.Join(err, engine.Close())
	}
	mux := http.NewServeMux()
	mux.Handle("/engine.io/", engine)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Println("listening on", listener.Addr())
	select {
	case err = <-served:
		return errors.Join(err, engine.Close())
	case <-ctx.Done():
	}
	return errors.Join(engine.Close(), server.Close())
}
