package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// million is what the document calculates: a chat application in the evening.
var million = scenario{
	name: "1,000,000 sockets on 50 pods", sockets: 1e6, pods: 50, chatSize: 5, chatsPerUser: 20,
	messages: 1e6 / 300, stay: 1800, pingInterval: 25, presenceTTL: 30,
}

// with is a scenario with something changed.
func (s scenario) with(name string, change func(*scenario)) scenario {
	s.name = name
	change(&s)
	return s
}

func (s scenario) of(sockets, pods float64) scenario {
	return s.with(number(sockets)+" on "+number(pods), func(s *scenario) {
		s.messages *= sockets / s.sockets
		s.sockets, s.pods = sockets, pods
	})
}

// tables are what the document is given, by the name of their place in it.
func (c *costs) tables(t table) map[string]string {
	return map[string]string{
		"units": c.units(), "pod": c.onePod(), "grows": c.grows(), "million": c.calculated(million),
		"sizes": c.sizes(), "lost": c.lost(), "checked": markdown(checkedHead, c.checked(t)),
	}
}

func (c *costs) units() string {
	rows := [][]string{
		{"a connect, µs CPU of its pod", figure(c.connect), "", ""},
		{"a POST, µs CPU of its pod, without deliveries", figure(c.post), "", ""},
		{"a delivery, µs CPU", figure(c.delivery), "", ""},
		{"a socket, KiB", figure(c.socket), "", ""},
		{"a socket, idle, µs CPU a second (a ping every 25 s)", figure(c.pings), "", ""},
		{"a pod without sockets, MiB", figure(c.pod), "", ""},
	}
	each := func(title string, of func(bus) float64) {
		row := []string{title}
		for _, a := range adapters {
			row = append(row, figure(of(c.bus[a])))
		}
		rows = append(rows, row)
	}
	each("a foreign message, µs CPU of a pod that has the room", func(b bus) float64 { return b.withRoom })
	each("a foreign message, µs CPU of a pod that has not", func(b bus) float64 { return b.without })
	each("a publication, µs CPU of Redis", func(b bus) float64 { return b.publication })
	each("and for each pod that is sent it", func(b bus) float64 { return b.push })
	each("a connect and its disconnect, Redis commands", func(b bus) float64 { return b.connect.commands + b.left.commands })
	each("a connect, MongoDB trips of its own", func(b bus) float64 { return b.connect.trips })
	each("and its part of one, as counted with 2 pods", func(b bus) float64 { return share(b.arrivals) })
	each("the same where 1 arrives a second and pod", func(bus) float64 { return share(1) })
	each("the same where 10 arrive", func(bus) float64 { return share(10) })
	each("a disconnect, MongoDB trips", func(b bus) float64 { return b.left.trips })
	each("a message to 5, Redis commands", func(b bus) float64 { return b.small.commands })
	each("a message to 5, MongoDB trips", func(b bus) float64 { return b.small.trips })
	each("a message to 5, publications", func(b bus) float64 { return b.small.published })
	each("a command of Redis among many, µs CPU", func(b bus) float64 { return b.command })
	each("a subscription to a room, bytes kept in Redis", func(b bus) float64 { return b.subscription })
	each("a pod, Redis commands a second for marks", func(bus) float64 { return marksEach * markCommands })
	each("a pod, Redis commands a PRESENCE_TTL, besides", func(b bus) float64 { return b.podTTL })
	each("and for each other pod", func(b bus) float64 { return b.peerTTL })
	each("a command of Redis by the clock, by itself, µs CPU", func(b bus) float64 { return b.lone })
	each("a socket, bytes kept in Redis", func(b bus) float64 { return b.kept })
	each("an idle socket, Redis commands a PRESENCE_TTL", func(b bus) float64 { return b.socketTTL })
	each("an idle socket, µs CPU of Redis a PRESENCE_TTL", func(b bus) float64 { return b.redisIdle })
	return markdown(append([]string{""}, adapters...), rows)
}

// busy is the part of a core that a pod is asked to use: the rest is for storms
// and garbage.
const busy = 0.7

func (c *costs) onePod() string {
	b := c.bus["redis"]
	a := func(us float64) string { return number(busy * 1e6 / us) }
	return markdown([]string{"one core, " + strconv.Itoa(100*busy) + " % busy, with one thing alone", ""}, [][]string{
		{"sockets in 1 GiB", number((1024 - c.pod) * 1024 / c.socket)},
		{"idle sockets by CPU (pings)", a(c.pings)},
		{"connects a second", a(c.connect)},
		{"messages a second to chats of 5", a(c.post + 5*c.delivery)},
		{"messages a second to chats of 500", a(c.post + 500*c.delivery)},
		{"deliveries a second, in chats of 500", a(c.post/500 + c.delivery)},
		{"foreign messages a second of chats it has, without deliveries", a(b.withRoom)},
		{"foreign messages a second of chats it has not (`redis`; none with `redis-sharded`)", a(b.without)},
	})
}

func (c *costs) grows() string {
	base := million
	changes := []scenario{
		base.with("sockets, and with them messages and connects, × 2", func(s *scenario) { s.sockets, s.messages = 2*s.sockets, 2*s.messages }),
		base.with("pods × 2", func(s *scenario) { s.pods *= 2 }),
		base.with("size of a chat × 2", func(s *scenario) { s.chatSize *= 2 }),
		base.with("chats a user × 2", func(s *scenario) { s.chatsPerUser *= 2 }),
		base.with("messages × 2", func(s *scenario) { s.messages *= 2 }),
		base.with("connects × 2", func(s *scenario) { s.stay /= 2 }),
		base.with("PRESENCE_TTL × 2", func(s *scenario) { s.presenceTTL *= 2 }),
	}
	outputs := []struct {
		title, adapter string
		of             func(load) float64
	}{
		{"memory of a pod", "redis", func(l load) float64 { return l.perPod.memory }},
		{"CPU of a pod", "redis", func(l load) float64 { return l.perPod.cpu }},
		{"the same, sharded", "redis-sharded", func(l load) float64 { return l.perPod.cpu }},
		{"Redis commands", "redis", func(l load) float64 { return l.redis.commands }},
		{"pushed by Redis", "redis", func(l load) float64 { return l.redis.pushed }},
		{"the same, sharded", "redis-sharded", func(l load) float64 { return l.redis.pushed }},
		{"subscriptions, sharded", "redis-sharded", func(l load) float64 { return l.redis.subscriptions }},
		{"MongoDB trips", "redis", func(l load) float64 { return l.mongo }},
	}
	head := []string{""}
	for _, o := range outputs {
		head = append(head, o.title)
	}
	var rows [][]string
	for _, s := range changes {
		row := []string{s.name}
		for _, o := range outputs {
			factor := o.of(c.of(s, o.adapter)) / o.of(c.of(base, o.adapter))
			text := "× " + strconv.FormatFloat(factor, 'f', 2, 64)
			if math.Abs(factor-1) < 0.005 {
				text = "same"
			}
			row = append(row, text)
		}
		rows = append(rows, row)
	}
	return markdown(head, rows)
}

func (c *costs) calculated(s scenario) string {
	var rows [][]string
	each := func(title string, of func(load) string) {
		row := []string{title}
		for _, a := range adapters {
			row = append(row, of(c.of(s, a)))
		}
		rows = append(rows, row)
	}
	each("a pod: sockets", func(l load) string { return number(l.perPod.sockets) })
	each("a pod: MiB", func(l load) string { return number(l.perPod.memory) })
	each("a pod: posts a second", func(l load) string { return figure(l.perPod.posts) })
	each("a pod: deliveries a second", func(l load) string { return figure(l.perPod.deliveries) })
	each("a pod: foreign messages a second", func(l load) string { return number(l.perPod.foreign) })
	each("a pod: of them read", func(l load) string { return number(l.perPod.foreignRead) })
	each("a pod: CPU, cores", func(l load) string { return figure(l.perPod.cpu) })
	each("of it pings", func(l load) string { return figure(l.perPod.idle) })
	each("of it connects", func(l load) string { return figure(l.perPod.connect) })
	each("of it posts and deliveries", func(l load) string { return figure(l.perPod.own) })
	each("of it foreign messages", func(l load) string { return figure(l.perPod.other) })
	each("Redis: commands a second", func(l load) string { return number(l.redis.commands) })
	each("of them by the clock of pods", func(l load) string { return number(l.redis.clocked) })
	each("Redis: publications a second", func(l load) string { return number(l.redis.published) })
	each("Redis: pushed to pods a second", func(l load) string { return number(l.redis.pushed) })
	each("Redis: MB a second sent", func(l load) string { return figure(l.redis.bytes / 1e6) })
	each("Redis: subscriptions", func(l load) string { return number(l.redis.subscriptions) })
	each("Redis: MB kept of sockets and subscriptions", func(l load) string { return number(l.redis.kept / 1e6) })
	each("Redis: CPU, cores, where each command comes by itself", func(l load) string { return figure(l.redis.cpu) })
	each("of it by the clock of pods", func(l load) string { return figure(l.redis.clock) })
	each("of it idle sockets", func(l load) string { return figure(l.redis.idle) })
	each("the same, where many come together", func(l load) string { return figure(l.redis.least) })
	each("a pod may stand still, s, before it has missed something", func(l load) string { return figure(l.patience) })
	each("MongoDB: trips a second", func(l load) string { return number(l.mongo) })
	return markdown(append([]string{""}, adapters...), rows)
}

func (c *costs) sizes() string {
	var rows [][]string
	for _, s := range []scenario{
		million.of(10_000, 2), million.of(100_000, 5), million.of(1e6, 50), million.of(1e6, 100),
		million.with("1,000,000 on 50, everybody writes once a minute", func(s *scenario) { s.messages = s.sockets / 60 }),
		million.with("1,000,000 on 50, chats of 50", func(s *scenario) { s.chatSize = 50 }),
	} {
		row := []string{s.name}
		for _, a := range adapters {
			l := c.of(s, a)
			row = append(row, figure(l.perPod.cpu), figure(l.redis.least)+" to "+figure(l.redis.cpu))
		}
		rows = append(rows, append(row, number(c.of(s, "redis").mongo)))
	}
	head := []string{""}
	for _, a := range adapters {
		head = append(head, a+": a pod", "Redis")
	}
	return markdown(append(head, "MongoDB trips/s"), rows)
}

// lost is what it takes when a pod is killed and its clients come to the others.
func (c *costs) lost() string {
	var rows [][]string
	for _, s := range []scenario{million.of(10_000, 2), million.of(100_000, 5), million.of(1e6, 50)} {
		come := s.sockets / s.pods
		b := c.bus["redis"]
		// They come within a second, and a core lets in so many.
		e := b.connects("redis", s.pods, min(come/(s.pods-1), 1e6/c.connect))
		rows = append(rows, []string{
			s.name, number(come), number(come / (s.pods - 1)),
			figure(come / (s.pods - 1) * c.connect / 1e6), number(come * e.commands), figure(come * e.redis / 1e6), number(come * e.trips),
		})
	}
	return markdown([]string{"", "sockets that come back", "to each other pod", "s of CPU of each", "Redis commands", "s of CPU of Redis", "MongoDB trips"}, rows)
}

func number(v float64) string {
	digits := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	var out strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			out.WriteByte(',')
		}
		out.WriteRune(d)
	}
	return out.String()
}

// figure has three digits that say something.
func figure(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100:
		return number(v)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

func markdown(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(head)
	line(append([]string{"---"}, strings.Fields(strings.Repeat("---: ", len(head)-1))...))
	for _, r := range rows {
		line(r)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
