package js

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	captures "parley/test/golden"
)

// golden is what test/golden/golden.json says of values, captured from the
// stock Node packages.
type golden struct {
	Values map[string]struct {
		Notepack, Notepack2, JSON, Decoded string
	}
	Streams map[string]string
	Decoded map[string]string
}

func load(t testing.TB) (g golden) {
	t.Helper()
	captures.Load(t, &g)
	return g
}

// goldenValues are the values of capture.cjs, by name.
func goldenValues() map[string]any {
	repeat := func(v any, n int) []any {
		list := make([]any, n)
		for i := range list {
			list[i] = v
		}
		return list
	}
	sevens := func(n int) []byte { return []byte(strings.Repeat("\x07", n)) }
	map16 := Object{}
	for i, c := range "abcdefghijklmnop" {
		map16 = append(map16, Member{Key: string(c), Value: i})
	}
	utc := func(s string) time.Time {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			panic(err)
		}
		return at
	}
	return map[string]any{
		"null": nil, "undefined": Undefined{}, "true": true, "false": false,
		"zero": 0, "minusZero": math.Copysign(0, -1), "int127": 127, "int128": uint8(128), "int255": 255, "int256": 256,
		"int65535": uint16(65535), "int65536": int32(65536), "uint32max": uint32(math.MaxUint32), "uint33": 1 << 32,
		"safeMax": int64(1<<53 - 1), "big1e17": 1e17, "big2e19": 2e19, "big1e21": 1e21,
		"minus1": -1, "minus32": int8(-32), "minus33": -33, "minus128": -128, "minus129": int16(-129), "minus32768": -32768,
		"minus32769": -32769, "minus2147483648": int64(math.MinInt32), "minus2147483649": int64(math.MinInt32) - 1, "safeMin": -(1<<53 - 1),
		"float": float32(1.5), "small": 1.5e-7, "smaller": 1e-10, "minusFloat": -0.1, "nan": math.NaN(), "infinity": math.Inf(1), "maxFloat": math.MaxFloat64,
		"empty": "", "str31": strings.Repeat("x", 31), "str32": strings.Repeat("x", 32), "str255": strings.Repeat("x", 255),
		"str256": strings.Repeat("x", 256), "str65536": strings.Repeat("x", 65536),
		"unicode": "grüße 你好 😀", "escapes": "\u0000\b\f\n\r\t\u001f\"\\/\u007f\u2028<>&",
		"bin0": []byte{}, "bin3": []byte{1, 2, 255}, "bin256": sevens(256), "bin65536": sevens(65536),
		"list0": []any{}, "list16": repeat(1, 16), "list65536": repeat(0, 65536), "listUndefined": []any{Undefined{}, 1},
		"map0": map[string]any{}, "map2": map[string]any{"b": "x", "a": 1}, "mapUndefined": Object{{Key: "a", Value: Undefined{}}, {Key: "b", Value: nil}},
		"mapIndex": map[string]any{"b": 1, "10": 2, "9": 3, "01": 4}, "map16": map16,
		"longKey": map[string]int{strings.Repeat("k", 40): 1},
		"date":    utc("2024-02-03T04:05:06Z"), "dateMillis": utc("2024-02-03T04:05:06.789Z"),
		"dateOld": utc("1969-12-31T23:59:59.999Z"), "dateFar": utc("2600-01-01T00:00:00.001Z"),
		"dateYear10000": time.UnixMilli(253402300800000), "dateBC": time.UnixMilli(-62198755200000),
		"nested": map[string]any{"a": []map[string]any{{"b": map[string]any{"c": [2]any{[]string{}, map[string]any{}}}}}, "d": []byte("hi")},
	}
}

func digest(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func packed(b []byte) string {
	if len(b) > 600 {
		return digest(string(b), 600)
	}
	return hex.EncodeToString(b)
}

func TestEncodersMatchNode(t *testing.T) {
	g := load(t)
	values := goldenValues()
	if len(values) != len(g.Values) {
		t.Fatalf("%d values here, %d captured", len(values), len(g.Values))
	}
	for name, want := range g.Values {
		t.Run(name, func(t *testing.T) {
			v, ok := values[name]
			if !ok {
				t.Fatal("no such value here")
			}
			b, err := AppendNotepack(nil, v)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := AppendNotepack2(nil, v); err != nil || want.Notepack2 != want.Notepack && packed(got) != want.Notepack2 {
				t.Errorf("the MessagePack of clients\n got %s (%v)\nwant %s", packed(got), err, want.Notepack2)
			}
			if f, ok := v.(float64); ok && f >= 1<<64 && !math.IsInf(f, 0) {
				// notepack garbles these; the float is what it reads correctly.
				want.Notepack = fmt.Sprintf("cb%016x", math.Float64bits(f))
				want.Decoded = want.JSON
			}
			if got := packed(b); got != want.Notepack {
				t.Errorf("MessagePack\n got %s\nwant %s", got, want.Notepack)
			}
			text, err := AppendJSON(nil, v)
			if err != nil {
				t.Fatal(err)
			}
			if got := digest(string(text), 1200); got != want.JSON {
				t.Errorf("JSON\n got %s\nwant %s", got, want.JSON)
			}
			if b, err := AppendMsgpack(nil, v); err != nil || packed(b) != g.Streams[name] {
				t.Errorf("the streams' MessagePack\n got %s (%v)\nwant %s", packed(b), err, g.Streams[name])
			}
			back, err := ParseMsgpack(string(b))
			if err != nil {
				t.Fatal(err)
			}
			again, err := AppendJSON(nil, back)
			if err != nil {
				t.Fatal(err)
			}
			if got := digest(string(again), 1200); got != want.Decoded {
				t.Errorf("decoded\n got %s\nwant %s", got, want.Decoded)
			}
		})
	}
}

func TestDecoderReadsWhatNotepackReads(t *testing.T) {
	for in, want := range load(t).Decoded {
		raw, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		v, err := ParseMsgpack(string(raw))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if b, ok := v.([]byte); ok {
			// notepack makes an ArrayBuffer of it, which JSON prints as {}.
			if want != "{}" || len(b) == 0 {
				t.Errorf("%s: got bytes, want %s", in, want)
			}
			continue
		}
		got, err := AppendJSON(nil, v)
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s (%v), want %s", in, got, err, want)
		}
	}
}
