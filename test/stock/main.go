// Command stock is a pod on the stock library github.com/zishang520/socket.io
// with the Redis adapter of its own, and on nothing else: a peer to try Parley
// against. A socket joins the rooms its auth names; POST /control is told, as
// test/peer is, what `io` shall do.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	rds "github.com/redis/go-redis/v9"
	"github.com/zishang520/socket.io/adapters/redis/v3"
	"github.com/zishang520/socket.io/adapters/redis/v3/adapter"
	"github.com/zishang520/socket.io/servers/socket/v3"
)

// patience is how long the pod waits for the other pods' answers.
const patience = 700 * time.Millisecond

func main() {
	if err := run(os.Getenv("REDIS_URL")); err != nil {
		fmt.Fprintln(os.Stderr, "stock:", err)
		os.Exit(1)
	}
}

func run(url string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	options, err := rds.ParseURL(url)
	if err != nil {
		return err
	}
	client := rds.NewClient(options)
	defer func() { _ = client.Close() }()
	io, handler, err := server(client)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", handler)
	ctl := &control{io: io}
	if err := ctl.listen(); err != nil {
		return err
	}
	mux.Handle("POST /control", ctl)
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		io.Close(nil)
		_ = web.Close()
	}()
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"msg": "listening", "url": "http://" + listener.Addr().String()}); err != nil {
		return err
	}
	if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func server(client rds.UniversalClient) (*socket.Server, http.Handler, error) {
	pods := redis.NewRedisClient(context.Background(), client)
	if err := pods.On("error", func(errs ...any) { fmt.Fprintln(os.Stderr, "redis:", errs) }); err != nil {
		return nil, nil, err
	}
	between := adapter.DefaultRedisAdapterOptions()
	between.SetRequestsTimeout(patience)
	options := socket.DefaultServerOptions()
	options.SetAdapter(&adapter.RedisAdapterBuilder{Redis: pods, Opts: between})
	io := socket.NewServer(nil, options)
	err := io.On("connection", func(clients ...any) {
		s, ok := clients[0].(*socket.Socket)
		if !ok {
			return
		}
		s.Join(names(s.Handshake().Auth["rooms"])...)
		// Its answer says that the rooms are joined.
		_ = s.On("joined?", func(args ...any) {
			if ack, ok := args[len(args)-1].(socket.Ack); ok {
				ack(nil, nil)
			}
		})
		_ = s.On("say", func(args ...any) {
			if len(args) < 2 {
				return
			}
			_ = s.To(names([]any{args[0]})...).Emit("said", args[1:]...)
		})
	})
	return io, io.ServeHandler(nil), err
}

func names(v any) []socket.Room {
	list, _ := v.([]any)
	var rooms []socket.Room
	for _, e := range list {
		if room, ok := e.(string); ok {
			rooms = append(rooms, socket.Room(room))
		}
	}
	return rooms
}
