// Command engine is the Socket.IO library of this project with nothing around
// it: a socket joins the rooms its auth names, and one that emits bench has
// messages sent to a room. It is what is compared with other engines.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof" // onto the default mux, which nothing else uses
	"os"
	"strings"
	"time"

	"parley/adapters/engineio"
	"parley/adapters/socketio"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "address to listen on")
	profile := flag.String("pprof", "", "address to serve /debug/pprof/ on; empty: nowhere")
	flag.Parse()
	if *profile != "" {
		go func() { fmt.Fprintln(os.Stderr, "engine:", http.ListenAndServe(*profile, nil)) }()
	}
	if err := run(*addr); err != nil {
		fmt.Fprintln(os.Stderr, "engine:", err)
		os.Exit(1)
	}
}

func run(addr string) error {
	// A measurement asks through one socket for more than a client may.
	io, err := socketio.New(socketio.Options{MaxEvents: 1 << 20, MaxEventBytes: 1 << 30, Engine: engineio.Options{MaxBacklog: 64 << 20}})
	if err != nil {
		return err
	}
	main := io.Of("/")
	main.OnConnect(func(s *socketio.Socket) {
		if auth, ok := s.Auth().(map[string]any); ok {
			rooms, _ := auth["rooms"].([]any)
			for _, r := range rooms {
				if room, ok := r.(string); ok {
					s.Join(room)
				}
			}
		}
	})
	// It does not block, as no handler may on Node.
	main.OnInline("bench", func(_ *socketio.Socket, e *socketio.Event) {
		if len(e.Args) == 0 {
			return
		}
		order, ok := e.Args[0].(map[string]any)
		if !ok {
			return
		}
		room, _ := order["room"].(string)
		n, _ := order["n"].(float64)
		size, _ := order["size"].(float64)
		text := strings.Repeat("x", int(size))
		for i := range int(n) {
			main.To(room).Emit("new_message", map[string]any{"id": order["id"], "i": i, "room": room, "text": text})
		}
	})
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Println("http://" + listener.Addr().String())
	return (&http.Server{Handler: io, ReadHeaderTimeout: 10 * time.Second}).Serve(listener)
}
