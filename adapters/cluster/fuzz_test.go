package cluster

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"parley/adapters/js"
)

// junk is what anybody on Redis may write to our channels.
func junk() []string {
	deep := strings.Repeat("\x91", 100_000)
	return []string{
		"", "{", "{}", "[]", "null", "\xc0", "\xc1", "\x93", "\x93\xa1x", "\x92\x01\x02", "\x93\x01\x02\x03", "\x93\xc0\xc0\xc0",
		"\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff", "\xdc\xff\xff", "\xdb\xff\xff\xff\xffabc", "\xc6\xff\xff\xff\xff", "\xc9\xff\xff\xff\xff\x00",
		"\xdd\x7f\xff\xff\xff", "\xd9", "\xc7\x0c\xff", deep, deep + "\xc0", strings.Repeat("\x81\xa1a", 100_000),
		strings.Repeat(`{"a":`, 100_000), strings.Repeat("[", 100_000), "{" + strings.Repeat(`"a":[`, 1000) + strings.Repeat("]", 1000) + "}",
		`{"type":"x"}`, `{"type":1e999}`, `{"type":5}`, `{"type":5,"opts":[]}`, `{"type":5,"opts":{"rooms":"x"}}`, `{"type":5,"opts":{"rooms":[{}]}}`,
		`{"type":2}`, `{"type":2,"opts":1}`, `{"type":2,"sid":1}`, `{"type":3,"opts":{},"rooms":7}`, `{"type":6}`, `{"type":6,"data":[]}`,
		`{"type":6,"data":[{}]}`, `{"type":7}`, `{"type":7,"packet":{}}`, `{"type":0,"rooms":{}}`, `{"requestId":{}}`,
		"{\"type\":6,\"data\":[\"\xff\xfe\"]", "{\"a\":\"\\ud800\"}",
		"\x93\xa1x\x83\xa4type\x02\xa4data\x90\xa3nsp\xa1/\x80", "\x93\xa1x\x83\xa4type\x02\xa4data\x91\xa1e\xa3nsp\x05\x80",
		"\x93\xa1x\x82\xa4type\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00\xa4data\x91\xa1e\x80", "\x93\xa1x\x82\xa4type\x01\xa4data\x91\xa1e\x80",
		"\x93\xa1x\x82\xa4type\x02\xa4data\x91\xa1e\x81\xa5rooms\xa1x", "\x93\xa1x\x82\xa4type\x02\xa4data\x91\xa1e\x81\xa5rooms\x91\x80",
	}
}

func FuzzDecodePayload(f *testing.F) {
	for _, s := range junk() {
		if len(s) < 1000 {
			f.Add(s)
		}
	}
	f.Fuzz(func(t *testing.T, in string) {
		m, err := decodePayload(in)
		if err != nil {
			return
		}
		if _, err := js.AppendJSON(nil, m); err != nil {
			t.Fatalf("read, but cannot be written: %v", err)
		}
	})
}

// FuzzDecodeClassic hands any bytes to every channel of a bus.
func FuzzDecodeClassic(f *testing.F) {
	for _, s := range junk() {
		if len(s) < 1000 {
			f.Add(s)
		}
	}
	g := loadGolden(f)
	for _, raw := range g.Classic {
		var pair [2]string
		if json.Unmarshal(raw, &pair) == nil {
			if b, err := hex.DecodeString(pair[1]); err == nil {
				f.Add(string(b))
			}
		}
	}
	f.Fuzz(func(t *testing.T, in string) {
		bus := NewClassic(ClassicOptions{UID: "other", QueueLen: 10}).(*classic)
		bus.local = goldenLocal()
		for _, channel := range []string{bus.broadcasts, bus.broadcasts + "r1#", bus.asks, bus.answers, bus.mine} {
			bus.receive(channel, in)
		}
		closeBus(t, bus)
	})
}

// FuzzDecodePeers does the same with the two adapters built on ClusterAdapter.
func FuzzDecodePeers(f *testing.F) {
	for _, s := range junk() {
		if len(s) < 1000 {
			f.Add(s)
		}
	}
	g := loadGolden(f)
	for _, of := range []map[string]json.RawMessage{g.Sharded, g.Stream} {
		for _, raw := range of {
			var words []string
			if json.Unmarshal(raw, &words) == nil && len(words) > 0 {
				last := words[len(words)-1]
				if b, err := hex.DecodeString(last); err == nil {
					last = string(b)
				}
				f.Add(last)
			}
		}
	}
	f.Fuzz(func(t *testing.T, in string) {
		one := NewSharded(ShardedOptions{UID: "other", QueueLen: 10}).(*sharded)
		one.local = goldenLocal()
		one.receive(one.all, in)
		one.receive(one.mine, in)
		closeBus(t, one)
		two := NewStreams(StreamsOptions{UID: "other", QueueLen: 10}).(*streams)
		two.local, two.caughtUp = goldenLocal(), func() {}
		two.receive(two.mine, in)
		for _, kind := range []string{"3", "4", "5", "6", "7", "8", "9", "10", in} {
			two.entry(fields{"uid": "else", "nsp": "/", "type": kind, "data": in})
		}
		closeBus(t, two)
	})
}
