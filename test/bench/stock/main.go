// Command stock is the Go library of the same name and the same protocol,
// github.com/zishang520/socket.io, as it comes: another engine to compare with.
// It is a module of its own, so that the product's go.mod does not name it.
//
// A socket joins the rooms its auth names, and one that emits bench has
// messages sent to a room.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "stock:", err)
		os.Exit(1)
	}
}

func run() error {
	io := socket.NewServer(nil, nil)
	err := io.On("connection", func(clients ...any) {
		s := clients[0].(*socket.Socket)
		rooms, _ := s.Handshake().Auth["rooms"].([]any)
		for _, r := range rooms {
			if room, ok := r.(string); ok {
				s.Join(socket.Room(room))
			}
		}
		_ = s.On("bench", func(args ...any) { bench(io, args) })
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", io.ServeHandler(nil))
	fmt.Println("http://" + listener.Addr().String())
	return (&http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}).Serve(listener)
}

func bench(io *socket.Server, args []any) {
	if len(args) == 0 {
		return
	}
	order, ok := args[0].(map[string]any)
	if !ok {
		return
	}
	room, _ := order["room"].(string)
	n, _ := order["n"].(float64)
	size, _ := order["size"].(float64)
	text := strings.Repeat("x", int(size))
	for i := range int(n) {
		_ = io.To(socket.Room(room)).Emit("new_message", map[string]any{"id": order["id"], "i": i, "room": room, "text": text})
	}
}
