package js

import (
	"encoding/json"
	"reflect"
	"strconv"
	"testing"
	"time"
)

type kind string

type shouted string

func (s shouted) MarshalText() ([]byte, error) { return []byte(string(s) + "!"), nil }

type quiet struct{ A string }

func (*quiet) MarshalJSON() ([]byte, error) { return []byte(`"hush"`), nil }

type tree struct {
	Leaf string `json:"leaf"`
	Next *tree  `json:"next,omitempty"`
}

// What is read straight off a struct is what encoding/json would make of it; a
// struct with anything unusual in it still goes by way of that.
func TestStructsAreWhatTheirJSONIs(t *testing.T) {
	one, word, none := 1, "é\u2028<", []kind{}
	type inner struct {
		Z     kind     `json:"z"`
		Words []string `json:"words"`
	}
	usual := map[string]any{
		"texts": struct {
			A kind    `json:"_id"`
			B *string `json:"b,omitempty"`
			C *string `json:"c,omitempty"`
			D string  `json:"d,omitempty"`
			E string
			f string
			G string `json:"-"`
			H *kind  `json:"h"`
		}{A: "x", B: &word, E: "no tag", f: "hidden", G: "skipped"},
		"numbers": struct {
			A bool    `json:"a"`
			B bool    `json:"b,omitempty"`
			C int64   `json:"c"`
			D uint32  `json:"d"`
			E float64 `json:"e"`
			F *int    `json:"f"`
			G int     `json:"g,omitempty"`
		}{A: true, C: -1 << 53, D: 7, E: 1e-7, F: &one},
		"lists": struct {
			A []kind   `json:"a"`
			B []kind   `json:"b"`
			C []kind   `json:"c,omitempty"`
			D []int    `json:"d"`
			E []inner  `json:"e"`
			F []*inner `json:"f"`
			G inner    `json:"g,omitempty"`
			H *inner   `json:"h,omitempty"`
		}{A: []kind{"x", "y"}, B: none, C: none, D: []int{3, 1}, E: []inner{{Z: "1"}, {Words: []string{"w"}}}, F: []*inner{nil, {}}, H: &inner{Z: "2"}},
	}
	unusual := map[string]any{
		"bytes":       struct{ A []byte }{[]byte("x")},
		"a time":      struct{ A time.Time }{time.Unix(0, 0)},
		"a number":    struct{ A json.Number }{"12"},
		"a marshaler": struct{ A *quiet }{new(quiet)},
		"a text":      struct{ A shouted }{"x"},
		"quoted": struct {
			A int `json:",string"`
		}{5},
		"embedded": struct{ inner }{inner{Z: "3"}},
		"anything": struct{ A any }{[]int{1}},
		"a map":    struct{ A map[string]int }{map[string]int{"x": 1}},
		"an index": struct {
			B int
			A int `json:"0"`
		}{1, 2},
		"a tree": tree{Leaf: "1", Next: &tree{Leaf: "2"}},
	}
	for _, group := range []map[string]any{usual, unusual} {
		for name, v := range group {
			want, err := throughJSON(v)
			if err != nil {
				t.Fatal(name, err)
			}
			got, err := Of(v)
			if err != nil {
				t.Fatal(name, err)
			}
			a, aerr := AppendJSON(nil, got)
			b, berr := AppendJSON(nil, want)
			if aerr != nil || berr != nil || string(a) != string(b) {
				t.Errorf("%s: %s (%v), by way of JSON %s (%v)", name, a, aerr, b, berr)
			}
		}
	}
	for name, v := range usual {
		if shapeOf(reflect.TypeOf(v)) == nil {
			t.Errorf("%s still go by way of JSON", name)
		}
	}
	for name, v := range unusual {
		if shapeOf(reflect.TypeOf(v)) != nil {
			t.Errorf("%s is not usual", name)
		}
	}
}

func BenchmarkStruct(b *testing.B) {
	type event struct {
		ID      kind    `json:"_id"`
		Chat    kind    `json:"chatId"`
		Sender  kind    `json:"senderId"`
		Content *string `json:"content,omitempty"`
		Type    kind    `json:"type,omitempty"`
		File    string  `json:"fileUrl,omitempty"`
		At      string  `json:"createdAt"`
	}
	text := "hello " + strconv.Itoa(1)
	v := event{ID: "665f1f77bcf86cd799439a0b", Chat: "665f1f77bcf86cd799439a0c", Sender: "665f1f77bcf86cd799439a0d", Content: &text, At: "2026-01-02T03:04:05.678Z"}
	for name, of := range map[string]func(any) (any, error){"straight": Of, "through JSON": throughJSON} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				o, err := of(v)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := AppendJSON(make([]byte, 0, 256), o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
