package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"parley/adapters/cluster"
	"parley/adapters/js"
)

// command is what a test asks for, as test/peer/control.mjs has it.
type command struct {
	op    string
	opts  cluster.Options
	rooms []string
	close bool
	args  []any // the event's name first
}

func (p *pod) control(w http.ResponseWriter, r *http.Request) {
	answer := js.Object{{Key: "result", Value: nil}}
	result, err := p.obey(r)
	if err != nil {
		answer = js.Object{{Key: "error", Value: err.Error()}}
	} else {
		answer[0].Value = mark(result)
	}
	body, err := js.AppendJSON(nil, answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

func (p *pod) obey(r *http.Request) (any, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 20<<20))
	if err != nil {
		return nil, err
	}
	v, err := js.ParseJSON(string(body))
	if err != nil {
		return nil, err
	}
	c, err := commandOf(v)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	switch c.op {
	case "emit":
		p.bus.Broadcast(cluster.Packet{Type: 2, Data: c.args, Nsp: "/"}, c.opts)
		return nil, p.bus.Flush(ctx)
	case "emitWithAck":
		return p.ask(ctx, c)
	case "socketsJoin":
		p.bus.Join(c.opts, c.rooms)
		return nil, p.bus.Flush(ctx)
	case "socketsLeave":
		p.bus.Leave(c.opts, c.rooms)
		return nil, p.bus.Flush(ctx)
	case "disconnectSockets":
		p.bus.Disconnect(c.opts, c.close)
		return nil, p.bus.Flush(ctx)
	case "fetchSockets":
		return p.sockets(ctx, c.opts)
	case "allRooms":
		rooms, err := p.bus.Rooms(ctx)
		return anys(rooms), err
	case "serverCount":
		n, err := p.bus.Pods(ctx)
		return n, err
	case "serverSideEmit":
		p.bus.ServerSideEmit(ctx, c.args, nil)
		return nil, p.bus.Flush(ctx)
	case "serverSideEmitWithAck":
		return p.askServers(ctx, c.args), nil
	case "heard":
		p.mu.Lock()
		defer p.mu.Unlock()
		heard := p.heard
		p.heard = nil
		return heard, nil
	}
	return nil, fmt.Errorf("no op %s", c.op)
}

func commandOf(v any) (command, error) {
	m, ok := js.Fields(v)
	if !ok {
		return command{}, errors.New("no command")
	}
	c := command{rooms: texts(m["rooms"])}
	c.op, _ = m["op"].(string)
	c.close, _ = m["close"].(bool)
	c.opts = cluster.Options{Rooms: texts(m["to"]), Except: texts(m["except"])}
	flags, _ := js.Fields(m["flags"])
	c.opts.Flags.Volatile, _ = flags["volatile"].(bool)
	if compress, ok := flags["compress"].(bool); ok {
		c.opts.Flags.Compress = &compress
	}
	if ms, ok := flags["timeout"].(float64); ok {
		c.opts.Flags.Timeout = time.Duration(ms) * time.Millisecond
	}
	c.args = []any{m["event"]}
	args, _ := m["args"].([]any)
	for _, a := range args {
		c.args = append(c.args, unmark(a))
	}
	return c, nil
}

func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func anys[T any](list []T) []any {
	out := make([]any, len(list))
	for i, e := range list {
		out[i] = e
	}
	return out
}

// ask waits until every client that was reached on every other pod has answered.
func (p *pod) ask(ctx context.Context, c command) (any, error) {
	pods, err := p.bus.Pods(ctx)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	told, clients, responses := 0, 0, []any{}
	done := make(chan struct{})
	check := func() { // under mu
		if told == pods-1 && len(responses) == clients {
			close(done)
		}
	}
	p.bus.BroadcastWithAck(cluster.Packet{Type: 2, Data: c.args, Nsp: "/"}, c.opts, func(n int) {
		mu.Lock()
		defer mu.Unlock()
		told++
		clients += n
		check()
	}, func(args []any) {
		mu.Lock()
		defer mu.Unlock()
		var first any = js.Undefined{}
		if len(args) > 0 {
			first = args[0]
		}
		responses = append(responses, first)
		check()
	})
	select {
	case <-done:
		return outcome(nil, responses), nil
	case <-time.After(c.opts.Flags.Timeout + 100*time.Millisecond):
	}
	mu.Lock()
	defer mu.Unlock()
	return outcome(errors.New("operation has timed out"), responses), nil
}

func (p *pod) askServers(ctx context.Context, args []any) any {
	done := make(chan any, 1)
	p.bus.ServerSideEmit(ctx, args, func(answers []any, err error) { done <- outcome(err, answers) })
	return <-done
}

func outcome(err error, responses []any) any {
	o := js.Object{}
	if err != nil {
		o = append(o, js.Member{Key: "message", Value: err.Error()})
	}
	return append(o, js.Member{Key: "responses", Value: responses})
}

func (p *pod) sockets(ctx context.Context, opts cluster.Options) (any, error) {
	sockets, err := p.bus.Sockets(ctx, opts)
	if err != nil {
		return nil, err
	}
	out := make([]any, 0, len(sockets))
	for _, s := range sockets {
		out = append(out, js.Object{
			{Key: "id", Value: s.ID}, {Key: "rooms", Value: anys(s.Rooms)},
			{Key: "handshake", Value: s.Handshake}, {Key: "data", Value: s.Data},
		})
	}
	return out, nil
}

// mark and unmark carry what JSON cannot hold, as test/peer/control.mjs does.
func mark(v any) any {
	switch v := v.(type) {
	case js.Undefined:
		return js.Object{{Key: "$undefined", Value: true}}
	case []byte:
		return js.Object{{Key: "$bin", Value: base64.StdEncoding.EncodeToString(v)}}
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = mark(e)
		}
		return out
	case js.Object:
		out := make(js.Object, len(v))
		for i, m := range v {
			out[i] = js.Member{Key: m.Key, Value: mark(m.Value)}
		}
		return out
	}
	return v
}

func unmark(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = unmark(e)
		}
		return out
	case js.Object:
		if text, ok := v.Get("$bin"); ok {
			raw, err := base64.StdEncoding.DecodeString(fmt.Sprint(text))
			if err == nil {
				return raw
			}
		}
		if text, ok := v.Get("$date"); ok {
			if at, err := time.Parse(time.RFC3339, fmt.Sprint(text)); err == nil {
				return at
			}
		}
		if text, ok := v.Get("$number"); ok {
			if f, err := strconv.ParseFloat(fmt.Sprint(text), 64); err == nil {
				return f
			}
		}
		if _, ok := v.Get("$undefined"); ok {
			return js.Undefined{}
		}
		out := make(js.Object, len(v))
		for i, m := range v {
			out[i] = js.Member{Key: m.Key, Value: unmark(m.Value)}
		}
		return out
	}
	return v
}
