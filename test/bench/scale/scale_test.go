package main

import (
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile("../../../docs/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func committed(t *testing.T) (*costs, table) {
	t.Helper()
	text := read(t, "BENCHMARKS.md")
	c, err := costsOf(text)
	if err != nil {
		t.Fatal(err)
	}
	return c, tablesOf(text)
}

func TestTheDocumentSaysWhatIsCalculated(t *testing.T) {
	c, counted := committed(t)
	have := read(t, "SCALING.md")
	want, err := filled(have, c.tables(counted))
	if err != nil {
		t.Fatal(err)
	}
	if have == want {
		return
	}
	old, now := strings.Split(have, "\n"), strings.Split(want, "\n")
	for i := range min(len(old), len(now)) {
		if old[i] != now[i] {
			t.Fatalf("docs/SCALING.md is not of docs/BENCHMARKS.md; go run ./test/bench/scale -write docs/SCALING.md\nline %d: %s\ninstead: %s", i+1, old[i], now[i])
		}
	}
	t.Fatal("docs/SCALING.md has lines too many or too few")
}

// What was counted with two pods says what is counted with eight.
func TestTheModelForeseesEightPods(t *testing.T) {
	c, counted := committed(t)
	all, err := c.predictions(counted)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if !p.holds() {
			t.Errorf("%s, %s: %.2f foreseen, %.2f counted", p.adapter, p.what, p.predicted, p.counted)
		}
	}
}

func TestHolding(t *testing.T) {
	for _, c := range []struct{ pods, n, want float64 }{{1, 1, 1}, {1, 500, 1}, {50, 1, 1}, {50, 1e6, 50}, {2, 2, 1.5}} {
		if got := holding(c.pods, c.n); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v sockets on %v pods are on %v, want %v", c.n, c.pods, got, c.want)
		}
	}
	random := rand.New(rand.NewPCG(1, 2)) // sockets put on pods
	for _, n := range []int{2, 5, 50, 500} {
		const pods, chats = 50, 2_000
		on := 0
		for range chats {
			has := map[int]bool{}
			for range n {
				has[random.IntN(pods)] = true
			}
			on += len(has)
		}
		simulated := float64(on) / chats
		if got := holding(pods, float64(n)); math.Abs(got-simulated) > 0.02*simulated {
			t.Errorf("a chat of %d is on %v pods, simulated %v", n, got, simulated)
		}
	}
}

const document = `
|                                                |     Parley | Node |
| ---------------------------------------------- | ---------: | ---: |
| product: µs CPU a connect, rooms of 5          |   1,100 ±4 % |  7 |
| product: µs CPU a delivery, rooms of 5         |  120 ±4 % |  7 |
| product: µs CPU a delivery, rooms of 500       |         21 |      |
| product: ms CPU a second, 5,000 idle           |         99 |      |
| product: ms CPU a second, 20,000 idle          |         40 |      |
| product: KiB a socket, 20,000 idle             |       25.6 |      |
| product: MiB in all, 20,000 idle               |        530 |      |
`

func TestCostsAreTakenFromTheTable(t *testing.T) {
	c := &costs{}
	if err := c.measured(tablesOf(document)); err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		what      string
		got, want float64
	}{
		{"a connect", c.connect, 1100}, {"a post", c.post, 500}, {"a delivery", c.delivery, 20},
		{"pings", c.pings, 2}, {"a socket", c.socket, 25.6}, {"a pod", c.pod, 30},
	} {
		if math.Abs(f.got-f.want) > 1e-6*f.want {
			t.Errorf("%s is %v, want %v", f.what, f.got, f.want)
		}
	}
	if _, err := costsOf(document); err == nil || !strings.Contains(err.Error(), "2 pods") {
		t.Errorf("a document without counts was taken: %v", err)
	}
}

// A case small enough to do in one's head.
func TestALoadAddsUp(t *testing.T) {
	e := event{commands: 2, trips: 1, published: 2, received: 4, redis: 10, bytes: 100}
	b := bus{podTTL: 12, peerTTL: 2, socketTTL: 3, redisIdle: 30, connect: e, left: event{}, small: e, large: e, withRoom: 10, without: 1, push: 1, publication: 1, pushBytes: 10, command: .5, lone: 20, kept: 700, subscription: 50}
	c := &costs{connect: 1000, post: 500, delivery: 20, pings: 2, socket: 1024, pod: 10, bus: map[string]bus{"redis": b, "redis-sharded": b, "redis-streams": b}}
	s := scenario{sockets: 1000, pods: 10, chatSize: 1, chatsPerUser: 1, messages: 100, stay: 100, pingInterval: 25, presenceTTL: 30}
	l := c.of(s, "redis")
	for _, f := range []struct {
		what      string
		got, want float64
	}{
		{"sockets of a pod", l.perPod.sockets, 100}, {"its memory", l.perPod.memory, 110},
		{"its posts", l.perPod.posts, 10}, {"its deliveries", l.perPod.deliveries, 10},
		// 100 messages with 2 publications each, and 10 connects with 2, reach nine others.
		{"what comes of others", l.perPod.foreign, (100*2*9 + 10*2*9) / 10.},
		{"pushed", l.redis.pushed, (100 + 10) * 2 * 10},
		// Each pod trades marks by 4 commands, 4 times a second.
		{"commands by the clock", l.redis.clocked, 10*16 + 10*30/30.},
		{"commands", l.redis.commands, (100+10)*2 + (10*30+1000*3)/30. + 10*16},
		// One arrives a second and pod: of eleven, one comes within 0.1 s of another.
		{"trips", l.mongo, 110 + 10/1.1},
		{"bytes", l.redis.bytes, 100*(100+2*16*10/2) + 10*(100+16*10) + 10*4*(10*73+63)},
		{"Redis by the clock", l.redis.clock, (170*20 + 10*10*4*.1) / 1e6},
		{"Redis", l.redis.cpu, (110*(10+16)+1000)/1e6 + l.redis.clock},
		{"a pod", l.perPod.cpu, (100*2 + 1*1000 + 10*520 + l.perPod.foreignRead*10 + (l.perPod.foreign-l.perPod.foreignRead)*1) / 1e6},
		{"patience", l.patience, 32 << 20 / 2200.},
		{"Redis at the least", l.redis.least, (l.redis.commands*.5 + 10*10*4*.1 + l.redis.published + l.redis.pushed) / 1e6},
		{"kept", l.redis.kept, 1000*700 + 40*50},
		{"subscriptions", l.redis.subscriptions, 40},
	} {
		if math.Abs(f.got-f.want) > 1e-9*f.want {
			t.Errorf("%s: %v, want %v", f.what, f.got, f.want)
		}
	}
	// From a stream each pod fetches what is published.
	if got, want := c.of(s, "redis-streams").redis.commands, l.redis.commands+110*2*(10-2); math.Abs(got-want) > 1e-9 {
		t.Errorf("%v commands with streams, want %v", got, want)
	}
	sharded := c.of(s, "redis-sharded")
	// Nobody but the one pod that has the chat hears of a message; presence goes everywhere.
	if want := (100*2 + 10*2*10.); math.Abs(sharded.redis.pushed-want) > 1e-9 {
		t.Errorf("sharded pushes %v, want %v", sharded.redis.pushed, want)
	}
	if want := 10.*2*9/10 + 100*(1-.1)/10; math.Abs(sharded.perPod.foreign-want) > 1e-9 {
		t.Errorf("a sharded pod hears %v of others, want %v", sharded.perPod.foreign, want)
	}
}

func TestAPlaceForEachTable(t *testing.T) {
	text, err := filled("a\n<!-- scale: x -->\nold\n<!-- /scale -->\nb", map[string]string{"x": "new"})
	if err != nil || text != "a\n<!-- scale: x -->\nnew\n<!-- /scale -->\nb" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := filled("a\n<!-- scale: y -->\n", map[string]string{"y": "new"}); err == nil {
		t.Error("a place without an end was taken")
	}
}
