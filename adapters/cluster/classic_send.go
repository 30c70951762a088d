package cluster

import (
	"context"

	"parley/adapters/js"
)

// Request types, shared with Node.
const (
	askSockets        = 0
	askRooms          = 1
	askJoin           = 2
	askLeave          = 3
	askDisconnect     = 4
	askFetch          = 5
	askServerSideEmit = 6
	askBroadcast      = 7
	tellClientCount   = 8
	tellAck           = 9
)

// publish queues one message.
func (c *classic) publish(channel string, own bool, r *request, encode func([]byte, any) ([]byte, error), v any) error {
	payload, err := c.spell(encode, v)
	if err != nil {
		return err
	}
	c.queue.push(&outgoing{
		channel: channel, payload: payload, args: []any{"publish", channel, payload}, request: r, own: own,
	})
	return nil
}

// ask queues a request, which Node writes as JSON.
func (c *classic) ask(r *request, members ...js.Member) error {
	return c.publish(c.asks, true, r, js.AppendJSON, append(js.Object{{Key: "uid", Value: c.uid}}, members...))
}

func (c *classic) Broadcast(p Packet, o Options) {
	channel := c.broadcasts
	if rooms := unique(o.Rooms); len(rooms) == 1 {
		channel += rooms[0] + "#"
	}
	_ = c.publish(channel, true, nil, js.AppendNotepack, []any{c.uid, encodePacket(p, c.nsp), encodeOptions(o, true)})
}

func (c *classic) Join(o Options, rooms []string) {
	_ = c.ask(nil, js.Member{Key: "type", Value: askJoin}, js.Member{Key: "opts", Value: encodeOptions(o, false)}, js.Member{Key: "rooms", Value: list(rooms)})
}

func (c *classic) Leave(o Options, rooms []string) {
	_ = c.ask(nil, js.Member{Key: "type", Value: askLeave}, js.Member{Key: "opts", Value: encodeOptions(o, false)}, js.Member{Key: "rooms", Value: list(rooms)})
}

func (c *classic) Disconnect(o Options, closeTransport bool) {
	_ = c.ask(nil, js.Member{Key: "type", Value: askDisconnect}, js.Member{Key: "opts", Value: encodeOptions(o, false)}, js.Member{Key: "close", Value: closeTransport})
}

func (c *classic) BroadcastWithAck(p Packet, o Options, clients func(n int), ack func(args []any)) {
	if o.Flags.Timeout <= 0 {
		o.Flags.Timeout = defaultAckTimeout
	}
	r := &request{id: shortID(6), clients: clients, ack: ack}
	if err := c.requests.add(r, o.Flags.Timeout); err != nil {
		c.drops.count(reasonTooMany, err)
		return
	}
	err := c.publish(c.asks, true, r, js.AppendNotepack, js.Object{
		{Key: "uid", Value: c.uid},
		{Key: "requestId", Value: r.id},
		{Key: "type", Value: askBroadcast},
		{Key: "packet", Value: encodePacket(p, c.nsp)},
		{Key: "opts", Value: encodeOptions(o, true)},
	})
	if err != nil {
		r.fail(err)
	}
}

func sixChars() string { return shortID(6) }

func (c *classic) Sockets(ctx context.Context, o Options) ([]Socket, error) {
	if err := c.Ready(); err != nil {
		return nil, err
	}
	answers, err := c.requests.gather(ctx, sixChars, c.requestTimeout, func(r *request) error {
		return c.ask(r, js.Member{Key: "requestId", Value: r.id}, js.Member{Key: "type", Value: askFetch}, js.Member{Key: "opts", Value: encodeOptions(o, false)})
	})
	if err != nil {
		return nil, err
	}
	return joinSockets(answers), nil
}

func (c *classic) Settled(ctx context.Context) error {
	_, err := c.Sockets(ctx, nobody())
	return err
}

func (c *classic) Rooms(ctx context.Context) ([]string, error) {
	if err := c.Ready(); err != nil {
		return nil, err
	}
	answers, err := c.requests.gather(ctx, sixChars, c.requestTimeout, func(r *request) error {
		return c.ask(r, js.Member{Key: "requestId", Value: r.id}, js.Member{Key: "type", Value: askRooms})
	})
	if err != nil {
		return nil, err
	}
	var all []string
	for _, a := range answers {
		if rooms, ok := a.([]string); ok {
			all = append(all, rooms...)
		}
	}
	return list(unique(all)), nil
}

func (c *classic) ServerSideEmit(ctx context.Context, args []any, ack func(answers []any, err error)) {
	if ack == nil {
		_ = c.ask(nil, js.Member{Key: "type", Value: askServerSideEmit}, js.Member{Key: "data", Value: args})
		return
	}
	if err := c.Ready(); err != nil {
		ack([]any{}, err)
		return
	}
	id := shortID(6)
	c.requests.collect(ctx, id, c.requestTimeout, func(r *request) error {
		return c.ask(r, js.Member{Key: "requestId", Value: id}, js.Member{Key: "type", Value: askServerSideEmit}, js.Member{Key: "data", Value: args})
	}, ack)
}

// joinSockets makes one list of every pod's.
func joinSockets(answers []any) []Socket {
	all := []Socket{}
	for _, a := range answers {
		if sockets, ok := a.([]Socket); ok {
			all = append(all, sockets...)
		}
	}
	return all
}
