package js

import (
	"strings"
	"testing"
)

func TestFindJSON(t *testing.T) {
	const text = ` { "a" : { "b" : [1, "]}\\\"", {"c":null}] , "a":-1.5e3 } , "a\"b" : 1, "t":true, "a":{"b":"\\"},"e":"" } `
	for path, want := range map[string]string{
		"a.b": `"\\"`, "t": "true", "e": `""`, "a": `{"b":"\\"}`, `a\"b`: "1",
	} {
		if got, ok := FindJSON(text, strings.Split(path, ".")...); !ok || got != want {
			t.Errorf("%s: %q, %v", path, got, ok)
		}
	}
	for _, path := range []string{"b", "a.c", "t.x", "a.b.c", ""} {
		if got, ok := FindJSON(text, strings.Split(path, ".")...); ok {
			t.Errorf("%s: found %q", path, got)
		}
	}
	for _, text := range []string{"", "{", `{"a`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{"a":"}`, `{"a":"\"}`, `{"a":[}`, `{"a"1}`, `{a:1}`, `["a"]`, `{}`, `{"a":}`, `{"a":]}`, `{"a":1 2}`} {
		if got, ok := FindJSON(text, "a"); ok {
			t.Errorf("%s: found %q", text, got)
		}
	}
}

func TestFindMsgpack(t *testing.T) {
	long := strings.Repeat("x", 300)
	value := Object{
		{"zero", 0}, {"list", []any{1.5, long, []byte(long), map[string]any{"k": -1}, -200, 1 << 40, nil, true}},
		{"a", Object{{"b", "first"}}}, {"time", date(1)}, {"a", Object{{"b", "last"}}}, {"wide", make([]any, 20)},
	}
	packed, err := AppendNotepack(nil, value)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{"a.b": "last", "list.1": long, "list.3.k": float64(-1), "list.7": true, "wide.19": nil, "zero": 0.0} {
		got, ok := FindMsgpack(string(packed), strings.Split(path, ".")...)
		if v, err := ParseMsgpack(got); !ok || err != nil || v != want {
			t.Errorf("%s: %v, %v, %v", path, v, err, ok)
		}
	}
	for _, path := range []string{"b", "a.c", "zero.x", "list.8", "list.-1", "list.x", long} {
		if got, ok := FindMsgpack(string(packed), strings.Split(path, ".")...); ok {
			t.Errorf("%s: found %q", path, got)
		}
	}
	for n := range len(packed) {
		if got, ok := FindMsgpack(string(packed[:n]), "wide"); ok {
			t.Fatalf("cut at %d: found %q", n, got)
		}
	}
	if _, ok := FindMsgpack("\x81\xa1a\xc1", "a"); ok {
		t.Error("found what is no type")
	}
}

// Of what an encoder writes, what is found is what parsing finds there; of any
// other bytes nothing is asked but an end.
func FuzzFind(f *testing.F) {
	for _, s := range []string{`{"a":{"b":[1,"x\\",{}]},"a":1}`, "\x82\xa1a\x81\xa1b\x93\x01\xd9\x01x\x80\xa1a\xcb\x00\x00\x00\x00\x00\x00\x00\x00", "\xdf\xff\xff\xff\xff", "\x92\xc0\x81\xa1a\x01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, w := range map[string]struct {
			write func([]byte, any) ([]byte, error)
			parse func(string) (any, error)
			find  func(string, ...string) (string, bool)
		}{"JSON": {AppendJSON, ParseJSON, FindJSON}, "MessagePack": {AppendNotepack, ParseMsgpack, FindMsgpack}} {
			w.find(s, "a", "1")
			v, err := w.parse(s)
			if err != nil {
				continue
			}
			written, err := w.write(nil, v)
			if err != nil {
				continue
			}
			if v, err = w.parse(string(written)); err != nil {
				t.Fatal(err)
			}
			o, _ := v.(Object)
			want, has := o.Get("a")
			raw, ok := w.find(string(written), "a")
			if ok != has {
				t.Fatalf("%s: %q: found: %v", name, written, ok)
			}
			if has {
				got, err := w.parse(raw)
				if a, b := spelled(t, got), spelled(t, want); err != nil || a != b {
					t.Fatalf("%s: %q: found %s for %s, %v", name, written, a, b, err)
				}
			}
		}
	})
}

func spelled(t *testing.T, v any) string {
	t.Helper()
	b, err := AppendNotepack(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
