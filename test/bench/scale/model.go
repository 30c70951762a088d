package main

import "math"

// scenario is what there is to serve. Each user has one socket.
type scenario struct {
	name         string
	sockets      float64
	pods         float64
	chatSize     float64 // sockets in a chat
	chatsPerUser float64
	messages     float64 // a second
	stay         float64 // seconds from a socket's connect to its end
	pingInterval float64 // seconds
	presenceTTL  float64 // seconds
}

// load is what follows from a scenario, with one adapter. CPU is in cores.
type load struct {
	perPod   podLoad
	redis    redisLoad
	mongo    float64 // trips a second
	connects float64 // a second, in all
	patience float64 // seconds that a pod may read nothing of the others
}

// What waits for a pod that does not read: as much as Redis keeps by default for
// a subscriber (client-output-buffer-limit pubsub), or the stream's length.
const (
	outputBuffer = 32 << 20
	streamLength = 10_000
)

type podLoad struct {
	sockets, memory           float64 // MiB
	posts, deliveries         float64 // a second
	foreign, foreignRead      float64 // a second: that come, and that it has the room of
	cpu                       float64
	idle, connect, own, other float64 // its parts: pings; connects; messages and deliveries; what comes of other pods
}

type redisLoad struct {
	commands, published, pushed float64 // a second
	bytes                       float64 // a second, sent
	cpu, least                  float64 // where each command comes by itself, and where Redis takes many in a turn
	idle, clock                 float64 // of cpu: what idle sockets cost, and what pods ask by the clock
	clocked                     float64 // of commands
	subscriptions               float64
	kept                        float64 // bytes
}

// Of the others pods hear how far they are by trading marks (rooms/hear.go,
// adapters/redis/marks.go), whatever PRESENCE_TTL is. The commands are HSET,
// HGETALL, a fence of the bus and PUBSUB NUMSUB; make scaling leaves PUBSUB out,
// because it asks that itself. Bytes are of RESP3 with a pod's name of 32
// characters: 39 of the name and 34 of its mark, and 63 of the rest of the
// answers. markField is by INFO commandstats, in round figures: HGETALL took 3.7 to
// 5.5 µs of 50 fields.
const (
	marksEach    = 4 // a second and pod
	markCommands = 4
	markCounted  = 3
	markBytes    = 73 // of each pod
	markRest     = 63
	markField    = 0.1 // µs of Redis
)

// gatherRest is how long who comes just after others were told of waits for
// company (rooms/gather.go), in seconds.
const gatherRest = 0.1

// share is an arrival's part of the query that looks up who is told of it, at a
// pod where so many arrive a second: one that comes alone is looked up at once,
// and those of the rest after it go together with the next.
func share(arrivals float64) float64 { return 1 / (1 + arrivals*gatherRest) }

// arrivalsFor is how many a second make that share.
func arrivalsFor(share float64) float64 { return (1/share - 1) / gatherRest }

// holding is how many of so many pods have at least one of n sockets that are
// anywhere.
func holding(pods, n float64) float64 {
	return pods * (1 - math.Pow(1-1/pods, n))
}

// pushed is to how many pods Redis hands a publication to one room of n sockets.
func pushed(adapter string, pods, n float64) float64 {
	if adapter == "redis-sharded" {
		return holding(pods, n)
	}
	return pods
}

// message is what one to a chat of n takes with so many pods: the message goes
// to the room, and what else is published to its sender's sockets.
func (b bus) message(adapter string, pods, n float64) event {
	at := func(small, large float64) float64 {
		return max(small+(large-small)*(n-smallSize)/(largeSize-smallSize), 0)
	}
	e := event{
		commands: at(b.small.commands, b.large.commands), trips: at(b.small.trips, b.large.trips),
		published: at(b.small.published, b.large.published),
		redis:     at(b.small.redis, b.large.redis), bytes: at(b.small.bytes, b.large.bytes),
	}
	reach := func(pods float64) float64 {
		return pushed(adapter, pods, n) + (e.published-1)*pushed(adapter, pods, 1)
	}
	e.received = reach(pods)
	return b.pushedMore(adapter, e, reach(pods)-reach(few))
}

// everywhere is an event whose publications concern several rooms, which every
// pod hears of with every adapter: presence.
func (b bus) everywhere(adapter string, e event, pods float64) event {
	more := e.received * (pods/few - 1)
	e.received += more
	return b.pushedMore(adapter, e, more)
}

// connects is a connect where so many arrive at a pod a second.
func (b bus) connects(adapter string, pods, arrivals float64) event {
	e := b.everywhere(adapter, b.connect, pods)
	e.trips += share(arrivals)
	return e
}

// pushedMore is an event that reaches more pods than were counted. From a stream
// each of them fetches it.
func (b bus) pushedMore(adapter string, e event, pushes float64) event {
	if adapter == "redis-streams" {
		e.commands = max(e.commands+pushes, 0)
	}
	e.redis = max(e.redis+pushes*b.push, 0)
	e.bytes = max(e.bytes+pushes*b.pushBytes, 0)
	return e
}

// subscriptions of all pods together.
func subscriptions(adapter string, pods, users, chats, size float64) float64 {
	switch adapter {
	case "redis-sharded": // its two; each chat's at who has it; each user's own room at their pod
		return 2*pods + chats*holding(pods, size) + users
	case "redis-streams":
		return 3 * pods
	}
	return 4 * pods
}

// of is the load of a scenario.
func (c *costs) of(s scenario, adapter string) load {
	b := c.bus[adapter]
	perPod := s.sockets / s.pods
	l := load{connects: s.sockets / s.stay}
	message := b.message(adapter, s.pods, s.chatSize)
	connect, left := b.connects(adapter, s.pods, l.connects/s.pods), b.everywhere(adapter, b.left, s.pods)

	// A pod with the room reads a message; receipts and presence are read where
	// they are received at all. What a pod published comes back to it and is not
	// foreign.
	with := holding(s.pods, s.chatSize) * (1 - 1/s.pods)
	heard := message.received - message.published
	if adapter == "redis-sharded" {
		heard = with
	}
	presence := (connect.received - connect.published) + (left.received - left.published)

	p := &l.perPod
	p.sockets = perPod
	p.memory = c.pod + perPod*c.socket/1024
	p.posts = s.messages / s.pods
	p.deliveries = s.messages * s.chatSize / s.pods
	p.foreign = (s.messages*max(heard, 0) + l.connects*presence) / s.pods
	p.foreignRead = (s.messages*with + l.connects*presence) / s.pods
	p.idle = perPod * c.pings * 25 / s.pingInterval / 1e6
	p.connect = l.connects / s.pods * c.connect / 1e6
	p.own = (p.posts*c.post + p.deliveries*c.delivery) / 1e6
	p.other = (p.foreignRead*b.withRoom + max(p.foreign-p.foreignRead, 0)*b.without) / 1e6
	p.cpu = p.idle + p.connect + p.own + p.other

	ttls := 1 / s.presenceTTL
	r := &l.redis
	sum := func(of func(event) float64) float64 {
		return s.messages*of(message) + l.connects*(of(connect)+of(left))
	}
	r.clocked = s.pods * (marksEach*markCommands + ttls*(b.podTTL+(s.pods-1)*b.peerTTL))
	r.commands = sum(func(e event) float64 { return e.commands }) + r.clocked + ttls*s.sockets*b.socketTTL
	r.published = sum(func(e event) float64 { return e.published })
	r.pushed = sum(func(e event) float64 { return e.received })
	marks := s.pods * marksEach
	r.bytes = sum(func(e event) float64 { return e.bytes }) + marks*(s.pods*markBytes+markRest)
	r.idle = ttls * s.sockets * b.redisIdle / 1e6
	r.clock = (r.clocked*b.lone + marks*s.pods*markField) / 1e6
	r.cpu = sum(func(e event) float64 { return e.redis })/1e6 + r.idle + r.clock
	r.least = (r.commands*b.command + marks*s.pods*markField + r.published*b.publication + r.pushed*b.push) / 1e6
	r.subscriptions = subscriptions(adapter, s.pods, s.sockets, s.sockets*s.chatsPerUser/s.chatSize, s.chatSize)
	r.kept = s.sockets*c.bus["redis"].kept + r.subscriptions*b.subscription
	l.patience = outputBuffer / (r.pushed / s.pods * b.pushBytes)
	if adapter == "redis-streams" {
		l.patience = streamLength / r.published
	}
	l.mongo = sum(func(e event) float64 { return e.trips })
	return l
}
