package js

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzParseMsgpack(f *testing.F) {
	for _, s := range []string{
		"", "\xc1", "\x93", "\x93\xa1x", "\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff", "\xdb\xff\xff\xff\xffabc", "\xc6\xff\xff\xff\xff",
		"\xc9\xff\xff\xff\xff\x00", "\xd9", "\xc7\x0c\xff", "\x82\xa1b\x01\xa1a\x02", "\x83\xa15\x01\xa13\x02\xa1x\xd4\x00\x00",
	} {
		f.Add([]byte(s))
	}
	g := load(f)
	for _, v := range g.Values {
		if b, err := hex.DecodeString(v.Notepack); err == nil {
			f.Add(b)
		}
	}
	for in := range g.Decoded {
		if b, err := hex.DecodeString(in); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		v, err := ParseMsgpack(string(in))
		if err != nil {
			return
		}
		checkDecoded(t, v)
	})
}

// checkDecoded holds what every decoded value must: it can be encoded again,
// as JSON and as MessagePack, and reads the same from both.
func checkDecoded(t *testing.T, v any) {
	t.Helper()
	text, err := AppendJSON(nil, v)
	if err != nil {
		t.Fatalf("not JSON: %v", err)
	}
	if !json.Valid(text) {
		t.Fatalf("not JSON: %q", text)
	}
	packed, err := AppendNotepack(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseMsgpack(string(packed))
	if err != nil {
		t.Fatalf("%x: %v", packed, err)
	}
	if text2, err := AppendJSON(nil, again); err != nil || string(text2) != string(text) {
		t.Fatalf("\n got %s (%v)\nwant %s", text2, err, text)
	}
}

// FuzzParseJSON holds our reader to the standard library's: it takes the same
// texts and reads the same values, and what we write is read the same again.
func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, `null`, `true`, `-0`, `1e400`, `-1.5E-3`, `01`, `1.`, `.5`, `+1`, `"`, `"\u00e9\ud83d\ude00"`, `"\ud83d"`, `"\ude00\ud83d"`,
		`"\x"`, `"\u12"`, "\"\x01\"", "\"\xff\xed\xa0\x80\"", `{"b":1,"a":2,"b":3}`, `{"10":1,"9":2,"x":3,"-1":4}`, `[1,]`, `{"a":1,}`, `{"a" :\t1 }`,
		`[1] x`, "\ufeff[]", "[\u00a0]", `{"__proto__":1}`, `[[[[[]]]]]`, `nul`, `[tru]`, `{"a"}`, `{1:2}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		v, err := ParseJSON(in)
		if errors.Is(err, ErrTooDeep) || errors.Is(err, ErrTooLarge) {
			return
		}
		if (err == nil) != json.Valid([]byte(in)) {
			t.Fatalf("%q: %v, and the standard library thinks otherwise", in, err)
		}
		if err != nil {
			return
		}
		text, err := AppendJSON(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseJSON(string(text))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if text2, err := AppendJSON(nil, again); err != nil || string(text2) != string(text) {
			t.Fatalf("\n got %s (%v)\nwant %s", text2, err, text)
		}
		var want, got any
		if json.Unmarshal([]byte(in), &want) != nil || !utf8.ValidString(in) {
			return // a number it cannot hold, or replacement letters in another number
		}
		if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q\n got %#v (%v)\nwant %#v", in, got, err, want)
		}
	})
}

func TestDecodersRefuseWhatCostsTooMuch(t *testing.T) {
	nested := func(open, shut string, n int) string { return strings.Repeat(open, n) + strings.Repeat(shut, n) }
	tests := map[string]struct {
		in   string
		want error
	}{
		"deep list":     {strings.Repeat("\x91", MaxDepth+2) + "\xc0", ErrTooDeep},
		"deep map":      {strings.Repeat("\x81\xa1a", MaxDepth+2) + "\xc0", ErrTooDeep},
		"deep JSON":     {`{"a":` + nested("[", "]", MaxDepth+1) + `}`, ErrTooDeep},
		"huge list":     {"\xdd\xff\xff\xff\xff", ErrMalformed},
		"huge map":      {"\xdf\xff\xff\xff\xff", ErrMalformed},
		"huge string":   {"\xdb\xff\xff\xff\xff", ErrMalformed},
		"huge binary":   {"\xc6\xff\xff\xff\xff", ErrMalformed},
		"many values":   {"\xdd\x00\x20\x00\x00" + strings.Repeat("\xc0", 1<<21), ErrTooLarge},
		"many members":  {`{"a":[` + strings.Repeat("1,", MaxValues) + `1]}`, ErrTooLarge},
		"large":         {strings.Repeat("\xc0", MaxBytes+1), ErrTooLarge},
		"large JSON":    {"{" + strings.Repeat(" ", MaxBytes) + "}", ErrTooLarge},
		"trailing byte": {"\xc0\xc0", ErrMalformed},
		"list as key":   {"\x81\x90\xc0", ErrMalformed},
		"no such type":  {"\xc1", ErrMalformed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var err error
			if tt.in[0] == '{' {
				_, err = ParseJSON(tt.in)
			} else {
				_, err = ParseMsgpack(tt.in)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want.Error()) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	if _, err := ParseMsgpack(strings.Repeat("\x91", MaxDepth) + "\xc0"); err != nil {
		t.Errorf("the deepest allowed: %v", err)
	}
}
