package hub

import (
	"context"

	"parley/adapters/cluster"
)

// alone is the bus of a pod that has no others.
type alone struct{}

func (alone) Start(context.Context, cluster.Local) error                               { return nil }
func (alone) Close(context.Context) error                                              { return nil }
func (alone) Ready() error                                                             { return nil }
func (alone) Flush(context.Context) error                                              { return nil }
func (alone) Broadcast(cluster.Packet, cluster.Options)                                {}
func (alone) Join(cluster.Options, []string)                                           {}
func (alone) Leave(cluster.Options, []string)                                          {}
func (alone) Disconnect(cluster.Options, bool)                                         {}
func (alone) Rooms(context.Context) ([]string, error)                                  { return nil, nil }
func (alone) Pods(context.Context) (int, error)                                        { return 1, nil }
func (alone) BroadcastWithAck(cluster.Packet, cluster.Options, func(int), func([]any)) {}

func (alone) CatchUp(context.Context) error                                      { return nil }
func (alone) Settled(context.Context) error                                      { return nil }
func (alone) Sockets(context.Context, cluster.Options) ([]cluster.Socket, error) { return nil, nil }

func (alone) ServerSideEmit(_ context.Context, _ []any, ack func([]any, error)) {
	if ack != nil {
		ack([]any{}, nil)
	}
}
