// Command load is the clients of a measurement. It speaks Socket.IO 5 over
// WebSocket by itself, with one epoll set and no goroutine for a socket, so
// that it costs little beside the server that is measured.
//
// It reads commands from stdin, a JSON object a line, answers each with a line,
// and ends when stdin does. README.md of the folder above lists them. It knows
// rooms by name and nothing of who may be in them: the clients that it is told
// to connect say that.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// command is one line of stdin; which fields count depends on Do.
type command struct {
	Do string `json:"do"`

	// connect
	URL     string   `json:"url"`
	PID     int      `json:"pid"`
	Clients []client `json:"clients"`
	Settle  int      `json:"settle"`  // milliseconds after it, which count as well
	AtOnce  int      `json:"at_once"` // sockets that are being set up; 64

	// storm
	URLs []string `json:"urls"`

	// idle, emit, fanout, leave
	Milliseconds int `json:"ms"`

	// emit, fanout
	order
}

// client is one socket to connect: what it says in CONNECT, and the rooms that
// this puts it in.
type client struct {
	Auth  json.RawMessage `json:"auth"`
	Rooms []string        `json:"rooms"`
}

// order is what to send, and how.
type order struct {
	Warm   int      `json:"warm"` // milliseconds before it counts
	Rooms  []string `json:"rooms"`
	Bytes  int      `json:"bytes"`  // of text in a message
	Window int      `json:"window"` // closed load: so many messages under way
	Rate   float64  `json:"rate"`   // paced load: so many messages a second

	Control int      `json:"control"` // emit: the socket that asks for messages
	Tokens  []string `json:"tokens"`  // fanout: of a member of each room
	Workers int      `json:"workers"` // fanout: requests under way, at most
	Post    string   `json:"post"`    // fanout: another pod to post to than the sockets'

	Beside map[string]int `json:"beside"` // processes whose CPU time is told too, by a name
}

func main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func serve(in io.Reader, out io.Writer) error {
	p, err := newPool()
	if err != nil {
		return err
	}
	defer p.close()
	lines, answers := bufio.NewReader(in), json.NewEncoder(out)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var c command
		if err := json.Unmarshal(line, &c); err != nil {
			return err
		}
		report, err := p.obey(c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Do, err)
		}
		if err := answers.Encode(report); err != nil {
			return err
		}
	}
}

func (p *pool) obey(c command) (any, error) {
	span := time.Duration(c.Milliseconds) * time.Millisecond
	switch c.Do {
	case "connect":
		return p.connect(c.URL, c.PID, c.Clients, max(c.AtOnce, 0), time.Duration(c.Settle)*time.Millisecond)
	case "storm":
		return p.storm(c.URLs)
	case "leave":
		return p.leave(span), nil
	case "idle":
		return p.idle(span)
	case "emit":
		return p.emit(c.order, span)
	case "fanout":
		return p.fanout(c.order, span)
	}
	return nil, errors.New("there is no such command")
}
