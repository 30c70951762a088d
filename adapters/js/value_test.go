package js

import "testing"

// What JSON.stringify(JSON.parse(text)) is in Node, to the letter.
func TestTextsComeBackAsFromJavaScript(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{`{"b":1,"a":2}`, `{"b":1,"a":2}`},
		{`{"b":1,"a":2,"b":3}`, `{"b":3,"a":2}`},
		{`{"x":0,"10":1,"9":2,"01":3,"-1":4,"4294967295":5,"4294967294":6}`, `{"9":2,"10":1,"4294967294":6,"x":0,"01":3,"-1":4,"4294967295":5}`},
		{`{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10,"a":11,"j":12}`, `{"a":11,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":12}`},
		{`"\ud83d\ude00 \ud83d\u0041 \ude00\ud83d"`, "\"😀 \\ud83dA \\ude00\\ud83d\""},
		{`"\/\b\u2028<é>\u0007"`, "\"/\\b\u2028<é>\\u0007\""},
		{`[-0,1E2,0.1e-6,1e21,123456789012345678901,1e400]`, `[0,100,1e-7,1e+21,123456789012345680000,null]`},
		{"[\"\xff\"]", `["` + "\uFFFD" + `"]`},
		{`{}`, `{}`},
		{` [ ] `, `[]`},
	} {
		v, err := ParseJSON(tc.in)
		if err != nil {
			t.Errorf("%s: %v", tc.in, err)
			continue
		}
		if got, err := AppendJSON(nil, v); err != nil || string(got) != tc.want {
			t.Errorf("%s\n got %s (%v)\nwant %s", tc.in, got, err, tc.want)
		}
	}
}

func TestMessagePackKeepsTheOrderOfKeys(t *testing.T) {
	v, err := ParseMsgpack("\x84\xa1b\x01\xa1a\x02\x07\x03\xa1u\xd4\x00\x00")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := AppendJSON(nil, v); err != nil || string(got) != `{"7":3,"b":1,"a":2}` {
		t.Errorf("%s (%v)", got, err)
	}
}

// A struct's members come in its order, and undefined is told from null.
func TestGoValues(t *testing.T) {
	type inner struct {
		Z string `json:"z"`
		A *int   `json:"a"`
		B int    `json:"b,omitempty"`
	}
	v, err := Of(struct {
		Y inner          `json:"y"`
		X []inner        `json:"x"`
		M map[string]int `json:"m"`
	}{inner{Z: "<"}, []inner{}, map[string]int{"b": 1, "a": 2}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := AppendJSON(nil, v); err != nil || string(got) != `{"y":{"z":"<","a":null},"x":[],"m":{"a":2,"b":1}}` {
		t.Errorf("%s (%v)", got, err)
	}
	fields, ok := Fields(Object{{Key: "a", Value: Undefined{}}, {Key: "b", Value: nil}})
	if _, has := fields["a"]; !ok || has || len(fields) != 1 {
		t.Errorf("%v %v", fields, ok)
	}
	if _, ok := Fields([]any{}); ok {
		t.Error("a list has no fields")
	}
}

func TestStringsThatAreNotUTF8(t *testing.T) {
	for _, tc := range []struct{ in, valid, wellFormed string }{
		{"é😀", "é😀", "é😀"},
		{"a\xff\xfeb", "a\uFFFDb", "a\uFFFDb"},
		{"\xed\xa0\xbd", "\xed\xa0\xbd", "\uFFFD"},
		{"x\xed\xa0\xbdy\xed\xb0\x80", "x\xed\xa0\xbdy\xed\xb0\x80", "x\uFFFDy\uFFFD"},
		{"\xed\xa0", "\uFFFD", "\uFFFD"},
	} {
		if got := Valid(tc.in); got != tc.valid {
			t.Errorf("Valid(%q) is %q", tc.in, got)
		}
		if got := WellFormed(tc.in); got != tc.wellFormed {
			t.Errorf("WellFormed(%q) is %q", tc.in, got)
		}
	}
}
