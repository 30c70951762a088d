package server

import (
	"log/slog"
	"net"
	"testing"
	"time"

	"parley/adapters/engineio"
	"parley/middleware"
)

// What the engine is given by this server's listener is a plain connection to
// it: without that each socket keeps a read buffer, and each write a goroutine.
func TestConnectionsArePlainToTheEngine(t *testing.T) {
	s := &Server{cfg: Config{Host: "127.0.0.1"}, log: slog.New(slog.DiscardHandler), metrics: middleware.NewMetrics()}
	l, err := s.listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	wrapper, ok := conn.(engineio.Wrapper)
	if !ok {
		t.Fatalf("%T is none the engine sees through", conn)
	}
	if wrapper.Plain() != nil {
		t.Error("it has not spoken yet, and its listener waits for that")
	}
	if _, err := client.Write([]byte("G")); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if wrapper.Plain() == nil {
		t.Error("it has spoken, and is not plain")
	}
}
