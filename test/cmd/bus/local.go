package main

import (
	"sync"
	"time"

	"parley/adapters/cluster"
)

// pod is what the other pods may ask of this one: it has no sockets, and it
// answers the events that test/peer answers.
type pod struct {
	bus  cluster.Bus
	name string

	mu    sync.Mutex
	heard []any // serverSideEmit events that arrived here
}

func (p *pod) Broadcast(cluster.Packet, cluster.Options) {}

func (p *pod) BroadcastWithAck(_ cluster.Packet, _ cluster.Options, clients func(int), _ func([]any)) {
	clients(0)
}
func (p *pod) Join(cluster.Options, []string)                           {}
func (p *pod) Leave(cluster.Options, []string)                          {}
func (p *pod) Disconnect(cluster.Options, bool)                         {}
func (p *pod) Sockets(_ cluster.Options, answer func([]cluster.Socket)) { answer(nil) }
func (p *pod) Rooms() []string                                          { return nil }
func (p *pod) Resumed(time.Time)                                        {}

func (p *pod) ServerSideEmit(args []any, ack func(any)) {
	p.mu.Lock()
	p.heard = append(p.heard, args)
	p.mu.Unlock()
	if ack != nil && args[0] == "peer:ask" {
		ack(map[string]any{"from": p.name, "args": args[1:]})
	}
}
