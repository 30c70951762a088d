package main

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// adapters are the ways pods speak with each other, as SOCKETIO_ADAPTER names them.
var adapters = []string{"redis", "redis-sharded", "redis-streams"}

// table is figures by row and column of a document.
type table map[string]map[string]float64

// tablesOf reads every Markdown table of a document into one. Cells that are no
// number are left out; of "8,206 ±4 %" it is the 8206.
func tablesOf(document string) table {
	t := table{}
	var head []string
	for line := range strings.Lines(document) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			head = nil
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if head == nil {
			head = cells
			continue
		}
		for i, c := range cells[1:] {
			number, _, _ := strings.Cut(strings.ReplaceAll(c, ",", ""), " ")
			v, err := strconv.ParseFloat(number, 64)
			if err != nil || i+1 >= len(head) {
				continue
			}
			if t[cells[0]] == nil {
				t[cells[0]] = map[string]float64{}
			}
			t[cells[0]][head[i+1]] = v
		}
	}
	return t
}

// figure is one cell.
func (t table) figure(row, column string) (float64, error) {
	v, ok := t[row][column]
	if !ok {
		return 0, fmt.Errorf("the benchmarks have no %q of %s", row, column)
	}
	return v, nil
}

// sized are the figures of rows that differ in one number, which stands for the
// N of the pattern, by that number.
func (t table) sized(pattern, column string) (sizes []int, values map[int]float64) {
	match := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), "N", `([0-9,]+)`) + "$")
	values = map[int]float64{}
	for row, of := range t {
		m := match.FindStringSubmatch(row)
		v, ok := of[column]
		if m == nil || !ok {
			continue
		}
		n, err := strconv.Atoi(strings.ReplaceAll(m[1], ",", ""))
		if err != nil {
			continue
		}
		sizes, values[n] = append(sizes, n), v
	}
	return sizes, values
}

// costs are what one of each thing takes. Times are in microseconds of CPU.
type costs struct {
	connect  float64 // of a pod, of which 3 s after it
	post     float64 // a message, without what each delivery takes
	delivery float64
	pings    float64 // a socket and second, at a ping every 25 s
	socket   float64 // KiB
	pod      float64 // MiB without sockets
	bus      map[string]bus
}

// bus is what was counted with one adapter.
type bus struct {
	podTTL, peerTTL   float64 // Redis commands in a PRESENCE_TTL: of a pod, and for each other one; without marks
	socketTTL         float64 // and for each socket
	redisIdle         float64 // µs of Redis in a PRESENCE_TTL and socket
	connect, left     event   // a connect without its share of what is gathered
	arrivals          float64 // a second, at a pod of those counted
	small, large      event   // a message to smallSize and to largeSize
	withRoom, without float64 // µs of a pod by a foreign message
	push, publication float64 // µs of Redis: by pod that is sent it, and by message
	pushBytes         float64
	command           float64 // µs of Redis for a small one of many
	lone              float64 // µs of Redis for one of those pods ask by the clock
	kept              float64 // bytes of Redis by socket
	subscription      float64 // bytes of Redis for one to a room
}

// event is what one connect, disconnect or message makes of each, with two pods.
type event struct {
	commands, trips, published, received, redis, bytes float64
}

// What was counted: with so many pods, messages to so many.
const (
	few, many            = 2, 8
	smallSize, largeSize = 5, 50
)

// costsOf takes the unit costs out of docs/BENCHMARKS.md.
func costsOf(document string) (*costs, error) {
	t := tablesOf(document)
	c := &costs{bus: map[string]bus{}}
	if err := errors.Join(c.measured(t), c.counted(t)); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *costs) measured(t table) error {
	const ours = "Parley"
	var err error
	if c.connect, err = t.figure("product: µs CPU a connect, rooms of 5", ours); err != nil {
		if c.connect, err = t.figure("product: µs CPU a connect", ours); err != nil {
			return err
		}
	}
	// A delivery in rooms of n costs its own part and the n-th part of its message.
	sizes, a := t.sized("product: µs CPU a delivery, rooms of N", ours)
	low, high := extremes(sizes)
	if low == high {
		return errors.New("the benchmarks have no deliveries in rooms of two sizes")
	}
	c.post = (a[low] - a[high]) / (1/float64(low) - 1/float64(high))
	c.delivery = a[high] - c.post/float64(high)

	sizes, idle := t.sized("product: ms CPU a second, N idle", ours)
	_, most := extremes(sizes)
	_, kib := t.sized("product: KiB a socket, N idle", ours)
	_, mib := t.sized("product: MiB in all, N idle", ours)
	if most == 0 || kib[most] == 0 || mib[most] == 0 {
		return errors.New("the benchmarks have no idle sockets")
	}
	c.pings = idle[most] * 1e3 / float64(most)
	c.socket = kib[most]
	c.pod = max(mib[most]-kib[most]*float64(most)/1024, 0)
	return nil
}

func extremes(list []int) (low, high int) {
	low = math.MaxInt
	for _, n := range list {
		low, high = min(low, n), max(high, n)
	}
	if high == 0 {
		low = 0
	}
	return low, high
}

const (
	perPod     = "idle, nobody connected: Redis commands a PRESENCE_TTL and pod"
	perPodCPU  = "idle, nobody connected: µs CPU a second, Redis, by pod"
	countedTTL = 6 // seconds of PRESENCE_TTL as it was counted
)

func (c *costs) counted(t table) error {
	for _, name := range adapters {
		read := &reader{table: t, column: name}
		b := bus{
			socketTTL: read.row(few, "idle, 400 connected: Redis commands a PRESENCE_TTL and socket"),
			connect:   read.event(few, "a connect"), left: read.event(few, "a disconnect"),
			small: read.event(few, "a message to 5"), large: read.event(few, "a message to 50"),
			withRoom:  read.row(many, "a foreign message: µs CPU, a pod with the room"),
			kept:      read.row(few, "a connect: bytes kept in Redis"),
			pushBytes: read.row(few, "a foreign message: bytes out of Redis") / max(read.row(few, "a foreign message: received by pods"), 1),
		}
		if name != "redis-sharded" { // there it hears of none
			b.without = read.row(many, "a foreign message: µs CPU, a pod without it")
		}
		b.command = read.row(few, "one of 200 commands sent together: µs CPU, Redis")
		b.redisIdle = b.socketTTL * b.command
		if name == "redis-sharded" {
			b.subscription = max(b.kept-c.bus["redis"].kept, 0) * countedUsers / max(read.row(few, "subscriptions: in all"), 1)
		}
		// Each has a whole number of trips of its own; the rest is shared.
		own, shared := math.Modf(b.connect.trips)
		b.connect.trips, b.arrivals = own, arrivalsFor(shared)
		two, eight := read.row(few, perPod), read.row(many, perPod)
		b.peerTTL = max(eight-two, 0) / (many - few)
		b.podTTL = max(two-b.peerTTL*(few-1)-countedTTL*marksEach*markCounted, 0)
		const unseen = countedTTL * marksEach * (markCommands - markCounted) // left out by the counting, not by Redis
		b.lone = read.row(many, perPodCPU) * countedTTL / (eight + unseen)
		pushes := read.row(many, "a foreign message: received by pods") - read.row(few, "a foreign message: received by pods")
		if pushes > 0 {
			b.push = max(read.row(many, "a foreign message: µs CPU, Redis")-read.row(few, "a foreign message: µs CPU, Redis"), 0) / pushes
		}
		b.publication = max(read.row(few, "a foreign message: µs CPU, Redis")-b.push*read.row(few, "a foreign message: received by pods"), 0)
		if read.err != nil {
			return read.err
		}
		c.bus[name] = b
	}
	return nil
}

type reader struct {
	table  table
	column string
	err    error
}

func (r *reader) row(pods int, what string) float64 {
	v, err := r.table.figure(fmt.Sprintf("%d pods, %s", pods, what), r.column)
	if err != nil && r.err == nil {
		r.err = err
	}
	return v
}

func (r *reader) event(pods int, what string) event {
	return event{
		commands: r.row(pods, what+": Redis commands"), trips: r.row(pods, what+": MongoDB trips"),
		published: r.row(pods, what+": published"), received: r.row(pods, what+": received by pods"),
		redis: r.row(pods, what+": µs CPU, Redis"), bytes: r.row(pods, what+": bytes out of Redis"),
	}
}
