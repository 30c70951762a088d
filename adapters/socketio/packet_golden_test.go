package socketio

import (
	"encoding/hex"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"parley/adapters/js"
	captures "parley/test/golden"
)

// golden is what the stock parsers write, and what they make of what they are
// sent; captured by test/golden/capture.cjs.
type golden struct {
	Packets map[string]struct {
		Text    []any
		Msgpack string
	}
	Lines  map[string]string
	Frames map[string]string
}

func loadGolden(t testing.TB) (g golden) {
	t.Helper()
	captures.Load(t, &g)
	return g
}

func TestPacketsAreSpelledAsByNode(t *testing.T) {
	id := func(n uint64) *uint64 { return &n }
	of := map[string]Packet{
		"connect":    {Type: TypeConnect, Data: js.Object{{Key: "sid", Value: "s1"}, {Key: "pid", Value: "p1"}}, Nsp: "/"},
		"disconnect": {Type: TypeDisconnect, Nsp: "/"},
		"event": {Type: TypeEvent, Nsp: "/", Data: []any{"new_message", js.Object{
			{Key: "9", Value: false}, {Key: "10", Value: true}, {Key: "_id", Value: "1"}, {Key: "z", Value: "ü"},
			{Key: "a", Value: []any{1.5, 300, nil, js.Undefined{}}},
		}}},
		"asking":   {Type: TypeEvent, Nsp: "/", Data: []any{"q", -1}, ID: id(3)},
		"ack":      {Type: TypeAck, Nsp: "/", Data: []any{map[string]any{"ok": true}}, ID: id(7)},
		"emptyAck": {Type: TypeAck, Nsp: "/", Data: []any{}, ID: id(0)},
		"longAck":  {Type: TypeAck, Nsp: "/", Data: []any{}, ID: id(1 << 63)},
		"refused": {Type: TypeConnectError, Nsp: "/", Data: js.Object{
			{Key: "message", Value: "Authentication error"}, {Key: "data", Value: map[string]any{"code": "token_missing", "message": "no"}},
		}},
		"invalid": {Type: TypeConnectError, Nsp: "/admin", Data: map[string]any{"message": "Invalid namespace"}},
		"binary": {Type: TypeEvent, Nsp: "/", Data: []any{"bin", []byte{1, 2}, js.Object{
			{Key: "b", Value: []byte("x")}, {Key: "z", Value: 1},
		}}},
		"binaryAck": {Type: TypeAck, Nsp: "/", Data: []any{[]byte{}}, ID: id(5)},
		"offset":    {Type: TypeEvent, Nsp: "/", Data: []any{"parley:offset", "0123456789abcdef01234567.mjtf2s0k"}},
		"date":      {Type: TypeEvent, Nsp: "/", Data: []any{"at", time.UnixMilli(1706933106789)}},
	}
	g := loadGolden(t)
	if len(g.Packets) != len(of) {
		t.Fatalf("%d packets captured, %d here", len(g.Packets), len(of))
	}
	for name, want := range g.Packets {
		text, attachments, err := appendText(nil, of[name])
		if err != nil {
			t.Fatal(name, err)
		}
		got := []any{string(text)}
		for _, a := range attachments {
			got = append(got, map[string]any{"hex": hex.EncodeToString(a)})
		}
		if !reflect.DeepEqual(got, want.Text) {
			t.Errorf("%s\n got %v\nwant %v", name, got, want.Text)
		}
		b, err := appendMsgpack(nil, of[name])
		if err != nil || hex.EncodeToString(b) != want.Msgpack {
			t.Errorf("%s\n got %x %v\nwant %s", name, b, err, want.Msgpack)
		}
	}
}

// outcome is what a decoder makes of a frame, in the words of capture.cjs.
func outcome(t *testing.T, d Decoder, frame []byte, binary bool) string {
	t.Helper()
	p, err := d.Add(frame, binary)
	switch {
	case err != nil:
		return "error"
	case p == nil:
		return "more"
	}
	o := js.Object{{Key: "type", Value: int(p.Type)}, {Key: "nsp", Value: p.Nsp}}
	if p.ID != nil {
		o = append(o, js.Member{Key: "id", Value: *p.ID})
	}
	if p.Data != nil {
		o = append(o, js.Member{Key: "data", Value: p.Data})
	}
	text, err := js.AppendJSON(nil, o)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// same ignores the order of keys, which event handlers do not ask for.
func same(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return a == b
	}
	return reflect.DeepEqual(x, y)
}

func lenient() Decoder { return JSON().NewDecoder(DecoderLimits{Attached: 8}) }

func TestDecodersReadWhatNodeReads(t *testing.T) {
	g := loadGolden(t)
	if len(g.Lines) < 500 || len(g.Frames) < 25 {
		t.Fatalf("%d lines, %d frames", len(g.Lines), len(g.Frames))
	}
	for line, want := range g.Lines {
		if got := outcome(t, lenient(), []byte(line), false); !same(got, want) {
			t.Errorf("%q: %s, by Node %s", line, got, want)
		}
	}
	for frame, want := range g.Frames {
		raw, err := hex.DecodeString(frame)
		if err != nil {
			t.Fatal(err)
		}
		if got := outcome(t, Msgpack().NewDecoder(DecoderLimits{}), raw, true); !same(got, want) {
			t.Errorf("%s: %s, by Node %s", frame, got, want)
		}
	}
	// An answer may go on to other servers, with its keys in their order.
	line := `31["a",{"z":1,"b":2}]`
	if got := outcome(t, lenient(), []byte(line), false); got != g.Lines[line] {
		t.Errorf("%s: %s, by Node %s", line, got, g.Lines[line])
	}
}

func TestAttachments(t *testing.T) {
	for _, tc := range []struct {
		name   string
		frames []any
		want   string
	}{
		{"in their places", []any{`52-1["x",{"_placeholder":true,"num":1},[{"_placeholder":true,"num":0}]]`, []byte("a"), []byte("b")}, `{"type":2,"nsp":"/","id":1,"data":["x",{"type":"Buffer","data":[98]},[{"type":"Buffer","data":[97]}]]}`},
		{"of an answer", []any{`61-1[{"z":{"_placeholder":true,"num":0}}]`, []byte{}}, `{"type":3,"nsp":"/","id":1,"data":[{"z":{"type":"Buffer","data":[]}}]}`},
		{"not asked for", []any{`51-["x"]`, []byte("a")}, `{"type":2,"nsp":"/","data":["x"]}`},
		{"of nothing", []any{[]byte("a")}, "error"},
		{"cut off by text", []any{`51-["x"]`, `2["x"]`}, "error"},
		{"of more bytes than may wait", []any{`52-["x"]`, []byte("12345"), []byte("6789")}, "error"},
		{"of as many", []any{`52-["x"]`, []byte("12345"), []byte("678")}, `{"type":2,"nsp":"/","data":["x"]}`},
		{"named again, within bounds", []any{`51-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`, []byte("1234")}, `{"type":2,"nsp":"/","data":["x",{"type":"Buffer","data":[49,50,51,52]},{"type":"Buffer","data":[49,50,51,52]}]}`},
		{"named again and again", []any{`61-1[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`, []byte("1234")}, "error"},
		{"beyond those there are", []any{`51-["x",{"_placeholder":true,"num":1}]`, []byte("a")}, "error"},
		{"before the first", []any{`51-["x",{"_placeholder":true,"num":-1}]`, []byte("a")}, "error"},
		{"between two", []any{`51-["x",{"_placeholder":true,"num":0.5}]`, []byte("a")}, "error"},
		{"none, and no packet", []any{""}, "error"},
		{"of no number", []any{`51-["x",{"_placeholder":true,"num":"0"}]`, []byte("a")}, "error"},
		{"not placeholders", []any{`51-["x",{"_placeholder":1,"num":7}]`, []byte("a")}, `{"type":2,"nsp":"/","data":["x",{"_placeholder":1,"num":7}]}`},
	} {
		d := lenient()
		got := "more"
		for i, frame := range tc.frames {
			if got != "more" {
				t.Errorf("%s: done before frame %d", tc.name, i)
			}
			if b, ok := frame.([]byte); ok {
				got = outcome(t, d, b, true)
			} else {
				got = outcome(t, d, []byte(frame.(string)), false)
			}
		}
		if !same(got, tc.want) {
			t.Errorf("%s\n got %s\nwant %s", tc.name, got, tc.want)
		}
	}
}

func FuzzReadPacket(f *testing.F) {
	for line := range loadGolden(f).Lines {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		p, _, err := readPacket(line)
		if err != nil {
			return
		}
		if _, _, err := appendText(nil, *p); err != nil {
			t.Fatalf("read, but cannot be written: %v", err)
		}
	})
}

func FuzzReadMsgpack(f *testing.F) {
	for frame := range loadGolden(f).Frames {
		if b, err := hex.DecodeString(frame); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		p, err := readMsgpack(string(frame))
		if err != nil {
			return
		}
		if _, err := appendMsgpack(nil, *p); err != nil {
			t.Fatalf("read, but cannot be written: %v", err)
		}
	})
}
