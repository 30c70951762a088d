package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"
)

// control does what a test asks for; the commands are those of
// test/peer/control.mjs.
type control struct {
	io *socket.Server

	mu    sync.Mutex
	heard []any // serverSideEmit events that arrived here
}

// listen hears what other pods tell and ask this one.
func (c *control) listen() error {
	tell := func(args ...any) { c.hear("peer:tell", args) }
	ask := func(args ...any) {
		last := len(args) - 1
		if answer, ok := args[last].(func([]any, error)); ok {
			c.hear("peer:ask", args[:last])
			answer([]any{map[string]any{"from": "stock"}}, nil)
		}
	}
	return errors.Join(c.io.On("peer:tell", tell), c.io.On("peer:ask", ask))
}

func (c *control) hear(event string, args []any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = append(c.heard, append([]any{event}, args...))
}

type command struct {
	Op     string        `json:"op"`
	To     []socket.Room `json:"to"`
	Except []socket.Room `json:"except"`
	Rooms  []socket.Room `json:"rooms"`
	Close  bool          `json:"close"`
	Flags  struct {
		Volatile bool `json:"volatile"`
		Timeout  int  `json:"timeout"` // ms
	} `json:"flags"`
	Event  string `json:"event"`
	Args   []any  `json:"args"`
	Repeat int    `json:"repeat"` // emit: so often, each with its number as the only argument
}

func (c *control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var cmd command
	answer := map[string]any{}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 20<<20)).Decode(&cmd)
	if err == nil {
		answer["result"], err = c.obey(cmd)
	}
	if err != nil {
		answer = map[string]any{"error": err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func (c *control) obey(cmd command) (any, error) {
	op := c.io.To(cmd.To...).Except(cmd.Except...)
	if cmd.Flags.Volatile {
		op = op.Volatile()
	}
	if cmd.Flags.Timeout > 0 {
		op = op.Timeout(time.Duration(cmd.Flags.Timeout) * time.Millisecond)
	}
	args, _ := unmark(cmd.Args).([]any)
	switch cmd.Op {
	case "emit":
		if cmd.Repeat == 0 {
			return nil, op.Emit(cmd.Event, args...)
		}
		for i := range cmd.Repeat {
			if err := op.Emit(cmd.Event, i); err != nil {
				return nil, err
			}
		}
		return nil, nil
	case "emitWithAck":
		answered := make(chan any, 1)
		op.EmitWithAck(cmd.Event, args...)(func(responses []any, err error) { answered <- outcome(responses, err) })
		return <-answered, nil
	case "socketsJoin":
		op.SocketsJoin(cmd.Rooms...)
		return nil, nil
	case "socketsLeave":
		op.SocketsLeave(cmd.Rooms...)
		return nil, nil
	case "disconnectSockets":
		op.DisconnectSockets(cmd.Close)
		return nil, nil
	case "heard":
		c.mu.Lock()
		defer c.mu.Unlock()
		heard := c.heard
		c.heard = nil
		return heard, nil
	case "fetchSockets":
		return sockets(op)
	case "serverCount":
		return c.io.Sockets().Adapter().ServerCount(), nil
	case "serverSideEmit":
		return nil, c.io.ServerSideEmit(cmd.Event, args...)
	case "serverSideEmitWithAck":
		answered := make(chan any, 1)
		err := c.io.ServerSideEmitWithAck(cmd.Event, args...)(func(responses []any, err error) { answered <- outcome(responses, err) })
		if err != nil {
			return nil, err
		}
		return <-answered, nil
	}
	return nil, fmt.Errorf("no op %s", cmd.Op)
}

func sockets(op *socket.BroadcastOperator) (any, error) {
	type found struct {
		list []*socket.RemoteSocket
		err  error
	}
	answered := make(chan found, 1)
	op.FetchSockets()(func(list []*socket.RemoteSocket, err error) { answered <- found{list, err} })
	answer := <-answered
	ids := []map[string]any{}
	for _, s := range answer.list {
		ids = append(ids, map[string]any{"id": s.Id()})
	}
	return ids, answer.err
}

func outcome(responses []any, err error) any {
	o := map[string]any{"responses": responses}
	if err != nil {
		o["message"] = err.Error()
	}
	return o
}

// unmark turns {"$bin": base64} into bytes.
func unmark(v any) any {
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			v[i] = unmark(e)
		}
	case map[string]any:
		if text, ok := v["$bin"].(string); ok {
			if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
				return raw
			}
		}
		for k, e := range v {
			v[k] = unmark(e)
		}
	}
	return v
}
