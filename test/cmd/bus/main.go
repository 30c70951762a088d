// Command bus is a pod without sockets: Parley's bus to the other pods alone,
// told by HTTP what to ask of them, as test/peer is. Parley itself asks for less
// than its bus can do; with this all of it is tested against Node.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"parley/adapters/cluster"
)

func main() {
	url := flag.String("redis", os.Getenv("REDIS_URL"), "Redis")
	adapter := flag.String("adapter", os.Getenv("SOCKETIO_ADAPTER"), "redis, redis-sharded or redis-streams")
	flag.Parse()
	if err := run(*url, *adapter); err != nil {
		fmt.Fprintln(os.Stderr, "bus:", err)
		os.Exit(1)
	}
}

func run(url, adapter string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	options, err := redis.ParseURL(url)
	if err != nil {
		return err
	}
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()
	bus, err := open(adapter, client)
	if err != nil {
		return err
	}
	p := &pod{bus: bus, name: fmt.Sprintf("bus-%d", os.Getpid())}
	if err := bus.Start(ctx, p); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /control", p.control)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"msg": "listening", "url": "http://" + ln.Addr().String()}); err != nil {
		return err
	}
	if err := server.Serve(ln); err != http.ErrServerClosed {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return bus.Close(ctx)
}

func open(adapter string, client redis.UniversalClient) (cluster.Bus, error) {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	const patience = 3 * time.Second
	switch adapter {
	case "redis":
		return cluster.NewClassic(cluster.ClassicOptions{Client: client, Logger: log, RequestTimeout: patience}), nil
	case "redis-sharded":
		return cluster.NewSharded(cluster.ShardedOptions{Client: client, Logger: log, RequestTimeout: patience}), nil
	case "redis-streams":
		return cluster.NewStreams(cluster.StreamsOptions{Client: client, Logger: log, RequestTimeout: patience}), nil
	}
	return nil, fmt.Errorf("no adapter %q", adapter)
}
