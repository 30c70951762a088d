package cluster

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const zeroID = "0000000000000000"

func TestShardedSendsWhatNodeSends(t *testing.T) {
	for name, raw := range loadGolden(t).Sharded {
		if strings.HasPrefix(name, "answer:") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			bus := NewSharded(ShardedOptions{UID: zeroID}).(*sharded)
			bus.subscriber.ready.Store(true)
			defer closeBus(t, bus)
			goldenSends(bus)[name]()
			got := queued(bus.link, zeroID)
			if want := goldenSent(t, raw); len(got) != 1 || got[0] != want {
				t.Errorf("\n got %q\nwant %q", got, want)
			}
		})
	}
}

// peerAsks are the questions of capture.cjs.
var peerAsks = map[string]string{
	"fetch":      `{"uid":"other1","nsp":"/","type":7,"data":{"requestId":"q1","opts":{"rooms":["r1"],"except":[],"flags":{}}}}`,
	"fetchNone":  `{"uid":"other1","nsp":"/","type":7,"data":{"requestId":"q1","opts":{"rooms":["none"],"except":[],"flags":{}}}}`,
	"serverSide": `{"uid":"other1","nsp":"/","type":9,"data":{"requestId":"q1","packet":["hello"]}}`,
	"broadcast":  `{"uid":"other1","nsp":"/","type":3,"data":{"requestId":"q1","packet":{"type":2,"data":["hi"]},"opts":{"rooms":["r1"],"except":[],"flags":{"timeout":10}}}}`,
}

func TestShardedAnswersWhatNodeAnswers(t *testing.T) {
	g := loadGolden(t)
	for name, ask := range peerAsks {
		t.Run(name, func(t *testing.T) {
			bus := NewSharded(ShardedOptions{UID: zeroID}).(*sharded)
			defer closeBus(t, bus)
			bus.local = goldenLocal()
			bus.receive("socket.io#/#", ask)
			got, want := queued(bus.link, ""), goldenAnswers(t, g.Sharded["answer:"+name])
			if !slices.Equal(got, want) {
				t.Errorf("\n got %q\nwant %q", got, want)
			}
		})
	}
}

// commands drains a bus as whole commands, bytes on channels in hex.
func commands(l *link) (out []string) {
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	for _, o := range l.queue.items[l.queue.head:] {
		words := slices.Clone(o.args)
		if words[0] == any("publish") {
			payload := o.payload
			if o.request != nil {
				payload = strings.ReplaceAll(payload, o.request.id, zeroID)
			}
			words[2] = hex.EncodeToString([]byte(payload))
		}
		out = append(out, fmt.Sprint(words))
	}
	l.queue.items, l.queue.head, l.queue.bytes = nil, 0, 0
	return out
}

func goldenCommand(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var words []any
	if err := json.Unmarshal(raw, &words); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(words)
}

func TestStreamsSendWhatNodeSends(t *testing.T) {
	for name, raw := range loadGolden(t).Stream {
		if strings.HasPrefix(name, "answer:") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			bus := NewStreams(StreamsOptions{UID: zeroID}).(*streams)
			bus.subscriber.ready.Store(true)
			bus.reader.ready.Store(true)
			defer closeBus(t, bus)
			goldenSends(bus)[name]()
			got := commands(bus.link)
			if want := goldenCommand(t, raw); len(got) != 1 || got[0] != want {
				t.Errorf("\n got %q\nwant %q", got, want)
			}
		})
	}
}

// Node answers what comes by pub/sub without having read the stream up to there.
func TestStreamsSettleInTheStream(t *testing.T) {
	bus := NewStreams(StreamsOptions{UID: zeroID}).(*streams)
	bus.subscriber.ready.Store(true)
	bus.reader.ready.Store(true)
	defer closeBus(t, bus)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nobody answers
	if bus.Settled(ctx) == nil {
		t.Error("settled, and nobody answered")
	}
	got := commands(bus.link)
	id := regexp.MustCompile(`"[0-9a-f]{16}"`)
	want := `[xadd socket.io MAXLEN ~ 10000 * uid 0000000000000000 nsp / type 7 data ` +
		`{"opts":{"rooms":["id"],"except":[],"flags":{}},"requestId":"id"}]`
	if len(got) != 1 || id.ReplaceAllString(got[0], `"id"`) != want {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

func TestStreamsAnswerWhatNodeAnswers(t *testing.T) {
	g := loadGolden(t)
	for name, ask := range peerAsks {
		t.Run(name, func(t *testing.T) {
			bus := NewStreams(StreamsOptions{UID: zeroID}).(*streams)
			defer closeBus(t, bus)
			bus.local = goldenLocal()
			m, err := decodePayload(ask)
			if err != nil {
				t.Fatal(err)
			}
			e, ok, err := bus.open(m)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			if err := bus.handle(e); err != nil {
				t.Fatal(err)
			}
			var all []json.RawMessage
			if err := json.Unmarshal(g.Stream["answer:"+name], &all); err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, one := range all {
				want = append(want, goldenCommand(t, one))
			}
			if got := commands(bus.link); !slices.Equal(got, want) {
				t.Errorf("\n got %q\nwant %q", got, want)
			}
		})
	}
}
