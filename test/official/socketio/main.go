// Command socketio serves what the official suite of Socket.IO asks for: an echo
// of every event, in the main namespace and in /custom, with heartbeats of 300
// and 200 ms.
//
//	PORT        3000
//	ALLOW_EIO3  true lets clients of protocol 3 in
//	PARSER      msgpack speaks that
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"parley/adapters/engineio"
	"parley/adapters/socketio"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "socketio:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	parser := socketio.JSON()
	if os.Getenv("PARSER") == "msgpack" {
		parser = socketio.Msgpack()
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "3000"
	}
	io, err := socketio.New(socketio.Options{
		Parser:         parser,
		ConnectTimeout: time.Second,
		Engine: engineio.Options{
			PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond, MaxPayload: 1_000_000,
			AllowEIO3: os.Getenv("ALLOW_EIO3") == "true",
		},
	})
	if err != nil {
		return err
	}
	for _, name := range []string{"/", "/custom"} {
		n := io.Of(name)
		n.OnConnect(func(s *socketio.Socket) {
			auth := s.Auth()
			if auth == nil {
				auth = map[string]any{}
			}
			s.Emit("auth", auth)
		})
		n.On("message", func(s *socketio.Socket, e *socketio.Event) { s.Emit("message-back", e.Args...) })
		n.On("message-with-ack", func(_ *socketio.Socket, e *socketio.Event) { e.Ack(e.Args...) })
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	fmt.Println("listening on http://" + listener.Addr().String())
	server := &http.Server{Handler: io, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = io.Close(ending)
	_ = server.Close()
	return err
}
