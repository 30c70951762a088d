package cluster

import (
	"context"
	"fmt"
	"math"
	"sync"

	"parley/adapters/js"
)

// Message types of socket.io-adapter's ClusterAdapter, on which the sharded and
// the streams adapters are built.
const (
	msgBroadcast        = 3
	msgJoin             = 4
	msgLeave            = 5
	msgDisconnect       = 6
	msgFetch            = 7
	msgFetchAnswer      = 8
	msgServerSideEmit   = 9
	msgServerSideAnswer = 10
	msgClientCount      = 11
	msgAck              = 12
	firstAnswer         = msgFetchAnswer
)

type sender func(r *request, kind int, data js.Object, rooms []string) error

// peers speaks that protocol; how messages travel is left to its owner.
type peers struct {
	*link
	local Local
	ready func() error

	// send publishes to all; rooms are those of a plain broadcast, nil otherwise.
	send sender
	// inLine publishes to all, too, and never past what was published before.
	inLine sender
	// onceHeard calls answer once this pod hears the rooms it has been put into.
	onceHeard func(answer func())
	// answer publishes to the one pod that asked.
	answer func(to string, kind int, data js.Object) error
}

// message is what both adapters wrap around data, in Node's order.
func (p *peers) message(kind int, data js.Object) js.Object {
	return js.Object{{Key: "type", Value: kind}, {Key: "data", Value: data}, {Key: "uid", Value: p.uid}, {Key: "nsp", Value: p.nsp}}
}

// mayHoldBytes says which messages Node searches for binary.
func mayHoldBytes(kind int) bool {
	switch kind {
	case msgBroadcast, msgAck, msgFetchAnswer, msgServerSideEmit, msgServerSideAnswer:
		return true
	}
	return false
}

func (p *peers) Broadcast(packet Packet, o Options) {
	_ = p.send(nil, msgBroadcast, js.Object{
		{Key: "packet", Value: encodePacket(packet, "")},
		{Key: "opts", Value: encodeOptions(o, true)},
	}, unique(o.Rooms))
}

func (p *peers) Join(o Options, rooms []string) {
	_ = p.send(nil, msgJoin, js.Object{{Key: "opts", Value: encodeOptions(o, true)}, {Key: "rooms", Value: list(rooms)}}, nil)
}

func (p *peers) Leave(o Options, rooms []string) {
	_ = p.send(nil, msgLeave, js.Object{{Key: "opts", Value: encodeOptions(o, true)}, {Key: "rooms", Value: list(rooms)}}, nil)
}

func (p *peers) Disconnect(o Options, closeTransport bool) {
	_ = p.send(nil, msgDisconnect, js.Object{{Key: "opts", Value: encodeOptions(o, true)}, {Key: "close", Value: closeTransport}}, nil)
}

func (p *peers) BroadcastWithAck(packet Packet, o Options, clients func(n int), ack func(args []any)) {
	if o.Flags.Timeout <= 0 {
		o.Flags.Timeout = defaultAckTimeout
	}
	r := &request{id: longID(), clients: clients, ack: ack}
	if err := p.requests.add(r, o.Flags.Timeout); err != nil {
		p.drops.count(reasonTooMany, err)
		return
	}
	err := p.send(r, msgBroadcast, js.Object{
		{Key: "packet", Value: encodePacket(packet, "")},
		{Key: "requestId", Value: r.id},
		{Key: "opts", Value: encodeOptions(o, true)},
	}, nil)
	if err != nil {
		r.fail(err)
	}
}

func (p *peers) Sockets(ctx context.Context, o Options) ([]Socket, error) {
	return p.fetch(ctx, o, p.send)
}

func (p *peers) Settled(ctx context.Context) error {
	_, err := p.fetch(ctx, nobody(), p.inLine)
	return err
}

func (p *peers) fetch(ctx context.Context, o Options, send sender) ([]Socket, error) {
	if err := p.ready(); err != nil {
		return nil, err
	}
	answers, err := p.requests.gather(ctx, longID, p.requestTimeout, func(r *request) error {
		return send(r, msgFetch, js.Object{{Key: "opts", Value: encodeOptions(o, true)}, {Key: "requestId", Value: r.id}}, nil)
	})
	if err != nil {
		return nil, err
	}
	return joinSockets(answers), nil
}

// Rooms asks for the other pods' sockets: this protocol has no question for
// their rooms.
func (p *peers) Rooms(ctx context.Context) ([]string, error) {
	sockets, err := p.Sockets(ctx, Options{})
	if err != nil {
		return nil, err
	}
	var all []string
	for _, s := range sockets {
		all = append(all, s.Rooms...)
	}
	return list(unique(all)), nil
}

func (p *peers) ServerSideEmit(ctx context.Context, args []any, ack func(answers []any, err error)) {
	if ack == nil {
		_ = p.send(nil, msgServerSideEmit, js.Object{{Key: "packet", Value: args}}, nil)
		return
	}
	if err := p.ready(); err != nil {
		ack([]any{}, err)
		return
	}
	id := longID()
	p.requests.collect(ctx, id, p.requestTimeout, func(r *request) error {
		return p.send(r, msgServerSideEmit, js.Object{{Key: "requestId", Value: id}, {Key: "packet", Value: args}}, nil)
	}, ack)
}

// envelope is a message that was read, as far as the protocol goes.
type envelope struct {
	kind int
	uid  string
	data js.Object
}

// asks says whether its sender waits for an answer.
func (e envelope) asks() bool {
	v, ok := e.data.Get("requestId")
	return ok && v != any(js.Undefined{})
}

// open checks what every message must be; ok is false for our own, for another
// namespace's and for types that concern nobody here.
func (p *peers) open(m js.Object) (e envelope, ok bool, err error) {
	e.uid, _ = m.At("uid").(string)
	if e.uid == p.uid || m.At("nsp") != any(p.nsp) {
		return e, false, nil
	}
	kind, isNumber := m.At("type").(float64)
	if !isNumber || kind != math.Trunc(kind) || math.Abs(kind) > 1<<31 {
		return e, false, fmt.Errorf("%w: message type %s", js.ErrMalformed, brief(m.At("type")))
	}
	e.kind = int(kind)
	if e.kind < msgBroadcast || e.kind > msgAck {
		return e, false, nil // heartbeats, or of a later version
	}
	data, isObject := m.At("data").(js.Object)
	if !isObject {
		return e, false, fmt.Errorf("%w: data is a %T", js.ErrMalformed, m.At("data"))
	}
	e.data = data
	return e, true, nil
}

// handle carries out a message.
func (p *peers) handle(e envelope) error {
	switch e.kind {
	case msgBroadcast:
		return p.onBroadcast(e)
	case msgServerSideEmit:
		return p.onServerSideEmit(e)
	case msgJoin, msgLeave, msgDisconnect, msgFetch:
		return p.onSelect(e)
	}
	return p.onAnswer(e)
}

func (p *peers) onSelect(e envelope) error {
	o, err := decodeOptions(e.data.At("opts"))
	if err != nil {
		return err
	}
	rooms, err := names(e.data.At("rooms"))
	if err != nil {
		return err
	}
	switch e.kind {
	case msgJoin:
		p.local.Join(o, rooms)
	case msgLeave:
		p.local.Leave(o, rooms)
	case msgDisconnect:
		closeTransport, _ := e.data.At("close").(bool)
		p.local.Disconnect(o, closeTransport)
	case msgFetch:
		p.local.Sockets(o, func(sockets []Socket) {
			found := encodeSockets(sockets)
			p.onceHeard(func() { p.reply(e, msgFetchAnswer, js.Member{Key: "sockets", Value: found}) })
		})
	}
	return nil
}

func (p *peers) onBroadcast(e envelope) error {
	packet, err := decodePacket(e.data.At("packet"))
	if err != nil {
		return err
	}
	packet.Nsp = p.nsp // Node's is not named here: the message is
	o, err := decodeOptions(e.data.At("opts"))
	if err != nil {
		return err
	}
	if !e.asks() {
		p.local.Broadcast(packet, o)
		return nil
	}
	p.local.BroadcastWithAck(packet, o, func(n int) {
		p.reply(e, msgClientCount, js.Member{Key: "clientCount", Value: n})
	}, func(args []any) {
		p.reply(e, msgAck, js.Member{Key: "packet", Value: firstOf(args)})
	})
	return nil
}

func (p *peers) onServerSideEmit(e envelope) error {
	args, err := decodeEvent(e.data.At("packet"))
	if err != nil {
		return err
	}
	if !e.asks() {
		p.local.ServerSideEmit(args, nil)
		return nil
	}
	var once sync.Once
	p.local.ServerSideEmit(args, func(answer any) {
		once.Do(func() { p.reply(e, msgServerSideAnswer, js.Member{Key: "packet", Value: answer}) })
	})
	return nil
}

// reply answers the pod e came from.
func (p *peers) reply(e envelope, kind int, m js.Member) {
	if e.uid == "" {
		return
	}
	_ = p.answer(e.uid, kind, js.Object{{Key: "requestId", Value: e.data.At("requestId")}, m}) // the loss was counted
}

func (p *peers) onAnswer(e envelope) error {
	id, _ := e.data.At("requestId").(string)
	r := p.requests.get(id)
	if r == nil {
		return nil // too late
	}
	if r.done == nil {
		return onAckResponse(r, float64(e.kind), msgClientCount, msgAck, e.data.Map())
	}
	switch e.kind {
	case msgFetchAnswer:
		sockets, err := decodeSockets(e.data.At("sockets"))
		if err != nil {
			return err
		}
		r.answer(e.uid, sockets)
	case msgServerSideAnswer:
		r.answer(e.uid, e.data.At("packet"))
	}
	return nil
}
