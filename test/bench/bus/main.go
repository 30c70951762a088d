// Command bus is a pod without sockets that publishes as many messages as it is
// told to, so that it can be measured what they cost the pods that hear them.
//
// It reads commands from stdin, a JSON object a line, answers each with a line,
// and ends when stdin does. README.md of the folder above lists them.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"parley/adapters/cluster"
	"parley/adapters/js"
)

// command is one line of stdin; which fields count depends on Do.
type command struct {
	Do    string   `json:"do"`
	Rooms []string `json:"rooms"`

	Into []string `json:"into"` // join: the rooms that the sockets in Rooms are put into

	// publish
	Count int     `json:"count"`
	Rate  float64 `json:"rate"`  // so many a second; 0 for as many as Redis takes
	Bytes int     `json:"bytes"` // of text in a message
}

// settleEvery is how many messages may be under way: fewer than a stream keeps.
const settleEvery = 2000

func main() {
	url := flag.String("redis", "", "Redis")
	adapter := flag.String("adapter", "redis", "redis, redis-sharded or redis-streams")
	flag.Parse()
	if err := run(*url, *adapter); err != nil {
		fmt.Fprintln(os.Stderr, "bus:", err)
		os.Exit(1)
	}
}

func run(url, adapter string) error {
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
	ctx := context.Background()
	if err := bus.Start(ctx, nobody{}); err != nil {
		return err
	}
	defer func() { _ = bus.Close(ctx) }()
	answers := json.NewEncoder(os.Stdout)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return err
		}
		began := time.Now()
		if err := obey(ctx, bus, c); err != nil {
			return err
		}
		if err := answers.Encode(map[string]float64{"seconds": time.Since(began).Seconds()}); err != nil {
			return err
		}
	}
	return nil
}

func open(adapter string, client redis.UniversalClient) (cluster.Bus, error) {
	switch adapter {
	case "redis":
		return cluster.NewClassic(cluster.ClassicOptions{Client: client}), nil
	case "redis-sharded":
		return cluster.NewSharded(cluster.ShardedOptions{Client: client}), nil
	case "redis-streams":
		return cluster.NewStreams(cluster.StreamsOptions{Client: client}), nil
	}
	return nil, fmt.Errorf("no adapter %q", adapter)
}

// obey returns once the other pods are done with what it sent.
func obey(ctx context.Context, bus cluster.Bus, c command) error {
	switch c.Do {
	case "join":
		bus.Join(cluster.Options{Rooms: c.Rooms}, c.Into)
		return bus.Settled(ctx)
	case "publish":
		return publish(ctx, bus, c)
	}
	return fmt.Errorf("no command %q", c.Do)
}

func publish(ctx context.Context, bus cluster.Bus, c command) error {
	text := strings.Repeat("x", c.Bytes)
	began := time.Now()
	for i := range c.Count {
		if c.Rate > 0 {
			time.Sleep(time.Until(began.Add(time.Duration(float64(i) / c.Rate * float64(time.Second)))))
		}
		bus.Broadcast(cluster.Packet{Type: 2, Data: []any{"new_message", message(text)}}, cluster.Options{Rooms: c.Rooms})
		if i%settleEvery == settleEvery-1 {
			if err := bus.Settled(ctx); err != nil {
				return err
			}
		}
	}
	return bus.Settled(ctx)
}

var numbered int

// message is one as Parley sends it, with an id of its own.
func message(text string) js.Object {
	numbered++
	return js.Object{
		{Key: "_id", Value: fmt.Sprintf("%024x", numbered)}, {Key: "chatId", Value: "6650a1b2c3d4e5f60718293a"},
		{Key: "senderId", Value: "6650a1b2c3d4e5f60718293b"}, {Key: "content", Value: text}, {Key: "type", Value: "text"},
		{Key: "createdAt", Value: "2026-01-02T03:04:05.678Z"}, {Key: "updatedAt", Value: "2026-01-02T03:04:05.678Z"},
	}
}

// nobody has no sockets.
type nobody struct{}

func (nobody) Broadcast(cluster.Packet, cluster.Options)                                {}
func (nobody) BroadcastWithAck(cluster.Packet, cluster.Options, func(int), func([]any)) {}
func (nobody) Join(cluster.Options, []string)                                           {}
func (nobody) Leave(cluster.Options, []string)                                          {}
func (nobody) Disconnect(cluster.Options, bool)                                         {}
func (nobody) Sockets(_ cluster.Options, answer func([]cluster.Socket))                 { answer(nil) }
func (nobody) Rooms() []string                                                          { return nil }
func (nobody) ServerSideEmit([]any, func(any))                                          {}
func (nobody) Resumed(time.Time)                                                        {}
