package cluster

import (
	"fmt"
	"strings"
	"sync"

	"parley/adapters/js"
)

// receive handles whatever arrived on a channel of ours.
func (c *classic) receive(channel, payload string) {
	c.metrics.ClusterReceived(1)
	if c.marks.on(payload) {
		c.publisher.heard(channel, payload)
		return
	}
	var err error
	switch {
	case channel == c.asks:
		err = c.onRequest(payload)
	case channel == c.answers || channel == c.mine:
		err = c.onResponse(payload)
	case strings.HasPrefix(channel, c.broadcasts):
		err = c.onBroadcast(channel, payload)
	}
	if err != nil {
		c.drops.count(reasonOf(err), err)
	}
}

func (c *classic) onBroadcast(channel, payload string) error {
	room := strings.TrimPrefix(channel, c.broadcasts)
	if room != "" {
		room = room[:len(room)-1] // the closing #
	}
	if room == "" && c.misses(asMsgpack, payload, "2", "rooms") {
		return nil
	}
	if room != "" && c.index != nil && !c.index.HasRoom(room) {
		return nil
	}
	v, err := js.ParseMsgpack(payload)
	if err != nil {
		return err
	}
	envelope, ok := v.([]any)
	if !ok || len(envelope) < 3 {
		return fmt.Errorf("%w: broadcast is a %T", js.ErrMalformed, v)
	}
	if envelope[0] == any(c.uid) {
		return nil
	}
	p, err := decodePacket(envelope[1])
	if err != nil {
		return err
	}
	if p.Nsp != c.nsp {
		return nil
	}
	o, err := decodeOptions(envelope[2])
	if err != nil {
		return err
	}
	c.local.Broadcast(p, o)
	return nil
}

func (c *classic) onRequest(payload string) error {
	o, err := decodePayload(payload)
	if err != nil {
		return err
	}
	m := o.Map()
	if m["uid"] == any(c.uid) {
		return nil
	}
	kind, ok := m["type"].(float64)
	if !ok {
		return fmt.Errorf("%w: request type is a %T", js.ErrMalformed, m["type"])
	}
	switch kind {
	case askSockets:
		rooms, err := names(m["rooms"])
		if err != nil {
			return err
		}
		c.local.Sockets(Options{Rooms: rooms}, func(sockets []Socket) {
			ids := []string{}
			for _, s := range sockets {
				ids = append(ids, s.ID)
			}
			c.respond(m, js.Member{Key: "sockets", Value: ids})
		})
	case askRooms:
		c.respond(m, js.Member{Key: "rooms", Value: list(c.local.Rooms())})
	case askJoin, askLeave, askDisconnect:
		return c.onMove(int(kind), m)
	case askFetch:
		o, err := decodeOptions(m["opts"])
		if err != nil {
			return err
		}
		c.local.Sockets(o, func(sockets []Socket) {
			c.respond(m, js.Member{Key: "sockets", Value: encodeSockets(sockets)})
		})
	case askServerSideEmit:
		return c.onServerSideEmit(m)
	case askBroadcast:
		return c.onBroadcastWithAck(m)
	}
	return nil // a later version may have more
}

// onMove carries out a join, leave or disconnect. With opts it concerns many
// sockets and is not answered; the older form names one socket and is.
func (c *classic) onMove(kind int, m map[string]any) error {
	var rooms []string
	if opts, ok := m["opts"]; ok && opts != nil {
		o, err := decodeOptions(opts)
		if err != nil {
			return err
		}
		if rooms, err = names(m["rooms"]); err != nil {
			return err
		}
		c.move(kind, o, rooms, m)
		return nil
	}
	sid, ok := m["sid"].(string)
	if !ok {
		return fmt.Errorf("%w: request without opts or sid", js.ErrMalformed)
	}
	if room, ok := m["room"]; ok {
		var err error
		if rooms, err = names([]any{room}); err != nil {
			return err
		}
	}
	o := Options{Rooms: []string{sid}}
	c.local.Sockets(o, func(sockets []Socket) {
		if len(sockets) > 0 {
			c.move(kind, o, rooms, m)
			c.respond(m)
		}
	})
	return nil
}

func (c *classic) move(kind int, o Options, rooms []string, m map[string]any) {
	switch kind {
	case askJoin:
		c.local.Join(o, rooms)
	case askLeave:
		c.local.Leave(o, rooms)
	case askDisconnect:
		closeTransport, _ := m["close"].(bool)
		c.local.Disconnect(o, closeTransport)
	}
}

func (c *classic) onServerSideEmit(m map[string]any) error {
	args, err := decodeEvent(m["data"])
	if err != nil {
		return err
	}
	id, ok := m["requestId"]
	if !ok {
		c.local.ServerSideEmit(args, nil)
		return nil
	}
	var once sync.Once
	c.local.ServerSideEmit(args, func(answer any) {
		once.Do(func() {
			c.tell(js.AppendJSON, js.Object{{Key: "type", Value: askServerSideEmit}, {Key: "requestId", Value: id}, {Key: "data", Value: answer}})
		})
	})
	return nil
}

func (c *classic) onBroadcastWithAck(m map[string]any) error {
	p, err := decodePacket(m["packet"])
	if err != nil {
		return err
	}
	if p.Nsp != c.nsp {
		return nil
	}
	o, err := decodeOptions(m["opts"])
	if err != nil {
		return err
	}
	id := m["requestId"]
	c.local.BroadcastWithAck(p, o, func(n int) {
		c.tell(js.AppendJSON, js.Object{{Key: "type", Value: tellClientCount}, {Key: "requestId", Value: id}, {Key: "clientCount", Value: n}})
	}, func(args []any) {
		c.tell(js.AppendNotepack, js.Object{{Key: "type", Value: tellAck}, {Key: "requestId", Value: id}, {Key: "packet", Value: firstOf(args)}})
	})
	return nil
}

// firstOf is what Node hands on of an acknowledgement: its first argument.
func firstOf(args []any) any {
	if len(args) == 0 {
		return js.Undefined{}
	}
	return args[0]
}

// respond answers a request on the channel all pods share, as Node does unless
// told otherwise.
func (c *classic) respond(m map[string]any, members ...js.Member) {
	var id any = js.Undefined{}
	if v, ok := m["requestId"]; ok {
		id = v
	}
	c.tell(js.AppendJSON, append(js.Object{{Key: "requestId", Value: id}}, members...))
}

func (c *classic) tell(encode func([]byte, any) ([]byte, error), v any) {
	_ = c.publish(c.answers, false, nil, encode, v) // the loss was counted
}

func (c *classic) onResponse(payload string) error {
	o, err := decodePayload(payload)
	if err != nil {
		return err
	}
	m := o.Map()
	id, _ := m["requestId"].(string)
	r := c.requests.get(id)
	if r == nil {
		return nil // somebody else's, or too late
	}
	if r.done == nil {
		return onAckResponse(r, m["type"], tellClientCount, tellAck, m)
	}
	if v, ok := m["sockets"]; ok {
		sockets, err := decodeSockets(v)
		if err != nil {
			return err
		}
		r.answer("", sockets)
		return nil
	}
	if v, ok := m["rooms"]; ok {
		rooms, err := names(v)
		if err != nil {
			return err
		}
		r.answer("", rooms)
		return nil
	}
	if m["type"] == any(float64(askServerSideEmit)) {
		r.answer("", m["data"])
	}
	return nil
}

// onAckResponse hands on what a pod says about a broadcast with
// acknowledgements; counted and acked are the types of the two messages.
func onAckResponse(r *request, kind any, counted, acked float64, m map[string]any) error {
	if r.over() {
		return nil
	}
	switch kind {
	case counted:
		n, ok := m["clientCount"].(float64)
		if !ok || n < 0 || n > 1<<31 {
			return fmt.Errorf("%w: clientCount %s", js.ErrMalformed, brief(m["clientCount"]))
		}
		r.clients(int(n))
	case acked:
		args := []any{}
		if v, ok := m["packet"]; ok {
			args = append(args, v)
		}
		r.ack(args)
	}
	return nil
}
