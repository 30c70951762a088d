package hub

import (
	"encoding/hex"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	sio "github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"

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
	// Payloads and Bodies are those of Engine.IO 3 with something binary.
	Payloads map[string]string
	Bodies   map[string]struct {
		Body    string
		Packets []spelledV3
	}
}

func loadGolden(t testing.TB) (g golden) {
	t.Helper()
	captures.Load(t, &g)
	return g
}

func TestPacketsAreSpelledAsByNode(t *testing.T) {
	id := func(n uint64) *uint64 { return &n }
	answer := &connectData{}
	answer.Sid = sio.SocketId("s1")
	of := map[string]*parser.Packet{
		"connect":    {Type: parser.CONNECT, Data: answer, Nsp: "/"},
		"disconnect": {Type: parser.DISCONNECT, Nsp: "/"},
		"event": {Type: parser.EVENT, Nsp: "/", Data: []any{"new_message", js.Object{
			{Key: "9", Value: false}, {Key: "10", Value: true}, {Key: "_id", Value: "1"}, {Key: "z", Value: "ü"},
			{Key: "a", Value: []any{1.5, 300, nil, js.Undefined{}}},
		}}},
		"asking":   {Type: parser.EVENT, Nsp: "/", Data: []any{"q", -1}, Id: id(3)},
		"ack":      {Type: parser.ACK, Nsp: "/", Data: []any{map[string]any{"ok": true}}, Id: id(7)},
		"emptyAck": {Type: parser.ACK, Nsp: "/", Data: []any{}, Id: id(0)},
		"longAck":  {Type: parser.ACK, Nsp: "/", Data: []any{}, Id: id(1 << 63)},
		"refused": {Type: parser.CONNECT_ERROR, Nsp: "/", Data: map[string]any{
			"message": "Authentication error", "data": map[string]any{"code": "token_missing", "message": "no"},
		}},
		"invalid": {Type: parser.CONNECT_ERROR, Nsp: "/admin", Data: map[string]any{"message": "Invalid namespace"}},
		"binary": {Type: parser.EVENT, Nsp: "/", Data: []any{"bin", []byte{1, 2}, js.Object{
			{Key: "b", Value: []byte("x")}, {Key: "z", Value: 1},
		}}},
		"binaryAck": {Type: parser.ACK, Nsp: "/", Data: []any{[]byte{}}, Id: id(5)},
		"date":      {Type: parser.EVENT, Nsp: "/", Data: []any{"at", time.UnixMilli(1706933106789)}},
		"offset":    {Type: parser.EVENT, Nsp: "/", Data: []any{offsetEvent, "0123456789abcdef01234567"}},
	}
	g := loadGolden(t)
	if len(g.Packets) != len(of) {
		t.Fatalf("%d packets captured, %d here", len(g.Packets), len(of))
	}
	failed := func(err error) { t.Error(err) }
	pid := func(sid string) string {
		if sid == "s1" {
			return "p1"
		}
		return ""
	}
	for name, want := range g.Packets {
		var got []any
		for _, b := range (packets{pid: pid, failed: failed}).Encode(of[name]) {
			if text, ok := b.(*types.StringBuffer); ok {
				got = append(got, text.String())
			} else {
				got = append(got, map[string]any{"hex": hex.EncodeToString(b.Bytes())})
			}
		}
		if !reflect.DeepEqual(got, want.Text) {
			t.Errorf("%s\n got %v\nwant %v", name, got, want.Text)
		}
		frames := packets{msgpack: true, pid: pid, failed: failed}.Encode(of[name])
		if len(frames) != 1 || hex.EncodeToString(frames[0].Bytes()) != want.Msgpack {
			t.Errorf("%s\n got %x\nwant %s", name, frames[0].Bytes(), want.Msgpack)
		}
	}
}

// outcome is what a decoder makes of a frame, in the words of capture.cjs.
func outcome(t *testing.T, d parser.Decoder, frame any) string {
	t.Helper()
	got := "more"
	_ = d.On("decoded", func(args ...any) {
		p := args[0].(*parser.Packet)
		o := js.Object{{Key: "type", Value: int(p.Type)}, {Key: "nsp", Value: p.Nsp}}
		if p.Id != nil {
			o = append(o, js.Member{Key: "id", Value: *p.Id})
		}
		if p.Data != nil {
			o = append(o, js.Member{Key: "data", Value: p.Data})
		}
		text, err := js.AppendJSON(nil, o)
		if err != nil {
			t.Error(err)
		}
		got = string(text)
	})
	if d.Add(frame) != nil {
		return "error"
	}
	return got
}

// same ignores the order of keys, which event handlers do not ask for.
func same(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return a == b
	}
	return reflect.DeepEqual(x, y)
}

func TestDecodersReadWhatNodeReads(t *testing.T) {
	g := loadGolden(t)
	if len(g.Lines) < 500 || len(g.Frames) < 25 {
		t.Fatalf("%d lines, %d frames", len(g.Lines), len(g.Frames))
	}
	for line, want := range g.Lines {
		if got := outcome(t, packets{attached: 8}.NewDecoder(), types.NewStringBufferString(line)); !same(got, want) {
			t.Errorf("%q: %s, by Node %s", line, got, want)
		}
	}
	for frame, want := range g.Frames {
		raw, err := hex.DecodeString(frame)
		if err != nil {
			t.Fatal(err)
		}
		if got := outcome(t, packets{msgpack: true}.NewDecoder(), types.NewBytesBuffer(raw)); !same(got, want) {
			t.Errorf("%s: %s, by Node %s", frame, got, want)
		}
	}
	// An answer goes on to other pods with its keys in their order.
	line := `31["a",{"z":1,"b":2}]`
	if got := outcome(t, packets{attached: 8}.NewDecoder(), line); got != g.Lines[line] {
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
		d := packets{attached: 8}.NewDecoder()
		got := "more"
		for i, frame := range tc.frames {
			if got != "more" {
				t.Errorf("%s: done before frame %d", tc.name, i)
			}
			if b, ok := frame.([]byte); ok {
				frame = types.NewBytesBuffer(b)
			}
			got = outcome(t, d, frame)
		}
		if !same(got, tc.want) {
			t.Errorf("%s\n got %s\nwant %s", tc.name, got, tc.want)
		}
	}
	d := packets{attached: 8}.NewDecoder()
	_ = outcome(t, d, `51-["x"]`)
	d.Destroy()
	if got := outcome(t, d, `2["y"]`); !same(got, `{"type":2,"nsp":"/","data":["y"]}`) {
		t.Errorf("after Destroy: %s", got)
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
		if all, err := spellText(p); err != nil || len(all) == 0 {
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
		if _, err := spellMsgpack(p); err != nil {
			t.Fatalf("read, but cannot be written: %v", err)
		}
	})
}
