package hub

import (
	"encoding/hex"
	"io"
	"iter"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/parsers/engine/v3/parser"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// spelledV3 is a packet in the words of capture.cjs.
type spelledV3 struct{ Type, Data, Hex string }

func (s spelledV3) packet() *packet.Packet {
	q := &packet.Packet{Type: packet.Type(s.Type)}
	switch {
	case s.Hex != "":
		b, _ := hex.DecodeString(s.Hex)
		q.Data = types.NewBytesBuffer(b)
	case s.Data != "":
		q.Data = types.NewStringBufferString(s.Data)
	}
	return q
}

func spellV3(t testing.TB, q *packet.Packet) spelledV3 {
	t.Helper()
	s := spelledV3{Type: string(q.Type)}
	if q.Data == nil {
		return s
	}
	b, err := io.ReadAll(q.Data)
	if err != nil {
		t.Error(err)
	}
	if isBinary(q) {
		s.Hex = hex.EncodeToString(b)
	} else {
		s.Data = string(b)
	}
	return s
}

func TestPayloadsAreSpelledAsByNode(t *testing.T) {
	binary := func(s string) *packet.Packet {
		return &packet.Packet{Type: packet.MESSAGE, Data: types.NewBytesBuffer([]byte(s))}
	}
	text := func(s string) *packet.Packet {
		return &packet.Packet{Type: packet.MESSAGE, Data: types.NewStringBufferString(s)}
	}
	of := map[string][]*packet.Packet{
		"binary":  {binary("\x01\x02\xff")},
		"nothing": {binary("")},
		"long":    {binary(strings.Repeat("\x07", 123))},
		"mixed": {
			{Type: packet.PONG}, text(`51-["ü € 🐢",{"_placeholder":true,"num":0}]`),
			binary("ü"), {Type: packet.NOOP},
		},
		"text": {text("2[\"ü 🐢\"]"), {Type: packet.NOOP}},
	}
	g := loadGolden(t)
	if len(g.Payloads) != len(of) {
		t.Fatalf("%d payloads captured, %d here", len(g.Payloads), len(of))
	}
	for name, want := range g.Payloads {
		got, err := encodeV3(of[name])
		if err != nil || hex.EncodeToString(got.Bytes()) != want {
			t.Errorf("%s\n got %x, %v\nwant %s", name, got.Bytes(), err, want)
		}
		if _, text := got.(*types.StringBuffer); text != (name == "text") {
			t.Errorf("%s: as text %v", name, text)
		}
	}
}

// decodeV3 reads the whole of a body.
func decodeV3(body []byte) (packets []*packet.Packet, err error) {
	for q, err := range packetsV3(body) {
		if err != nil {
			return packets, err
		}
		packets = append(packets, q)
	}
	return packets, nil
}

func TestBodiesAreReadAsByNode(t *testing.T) {
	g := loadGolden(t)
	if len(g.Bodies) < 20 {
		t.Fatalf("%d bodies", len(g.Bodies))
	}
	for name, want := range g.Bodies {
		body, err := hex.DecodeString(want.Body)
		if err != nil {
			t.Fatal(err)
		}
		packets, err := decodeV3(body)
		var got []spelledV3
		for _, q := range packets {
			got = append(got, spellV3(t, q))
		}
		var good []spelledV3
		broken := false
		for _, s := range want.Packets {
			if broken = s.Type == "error"; broken {
				break // and the session ends
			}
			if s.Type == "" { // of no type Node knows
				s = spelledV3{Type: "noop"}
			}
			good = append(good, s)
		}
		if (err != nil) != broken || !reflect.DeepEqual(got, good) {
			t.Errorf("%s: %s\n got %v, %v\nwant %v, broken %v", name, want.Body, got, err, good, broken)
		}
	}
	for name, body := range map[string]string{"no length": "\x00\xff4a", "no digit": "\x00\x0a\xff4a", "no end": "\x00"} {
		if packets, err := decodeV3([]byte(body)); err == nil || len(packets) > 0 {
			t.Errorf("%s: %v, %v", name, packets, err)
		}
	}
}

// What can be read can be written and read again, as the same.
func FuzzDecodeV3(f *testing.F) {
	for _, b := range loadGolden(f).Bodies {
		body, err := hex.DecodeString(b.Body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		packets, err := decodeV3(body)
		if err != nil {
			return
		}
		all := []*packet.Packet{{Type: packet.MESSAGE, Data: types.NewBytesBuffer(nil)}} // so that it is of this form
		var first []spelledV3
		for _, q := range packets {
			s := spellV3(t, q)
			first = append(first, s)
			all = append(all, s.packet())
		}
		b, err := encodeV3(all)
		if err != nil {
			t.Fatalf("read, but cannot be written: %v", err)
		}
		again, err := decodeV3(b.Bytes())
		if err != nil || len(again) != len(packets)+1 {
			t.Fatalf("written, but not read: %v", err)
		}
		for i, q := range again[1:] {
			// Nothing is the same as text and as binary.
			if s := spellV3(t, q); s != first[i] {
				t.Fatalf("%v became %v", first[i], s)
			}
		}
	})
}

// The library's own reading is the measure here: it is Node's.
func FuzzTextPacketsV3(f *testing.F) {
	for _, seed := range []string{"1:6", "6:4hello3:4é🐢", "2:4", "0:", ":", "-1:4", "+1:6", "4:4\xff\xfea", "3:b4A", "99999999999999999999:4", "1:61:6x", "4:4🐢"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got, want []spelledV3
		var failed error
		for q, err := range textPacketsV3(body) {
			if failed = err; err == nil {
				got = append(got, spellV3(t, q))
			}
		}
		packets, err := parser.Parserv3().DecodePayload(types.NewStringBuffer(slices.Clone(body)))
		for _, q := range packets {
			want = append(want, spellV3(t, q))
		}
		if len(body) > 0 && (!reflect.DeepEqual(got, want) || (failed == nil) != (err == nil)) {
			t.Errorf("got  %v, %v\nwant %v, %v", got, failed, want, err)
		}
	})
}

// A body may be a hundred thousand packets: they are not all there at once.
func TestBodiesAreReadAPacketAtATime(t *testing.T) {
	const n = 100_000
	for name, packets := range map[string]iter.Seq2[*packet.Packet, error]{
		"4":         packetsV4(parser.Parserv4(), []byte(strings.Repeat("6\x1e", n)+"6")),
		"3, text":   textPacketsV3([]byte(strings.Repeat("1:6", n))),
		"3, binary": packetsV3([]byte(strings.Repeat("\x00\x01\xff6", n))),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range packets {
			break
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
			t.Errorf("%s: %d bytes for the first packet", name, took)
		}
	}
}
