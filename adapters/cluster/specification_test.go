package cluster

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	captures "parley/test/golden"
)

// What docs/PROTOCOL.md shows byte by byte is what Node was seen to write.
func TestTheSpecificationShowsTheCaptures(t *testing.T) {
	doc, err := os.ReadFile("../../docs/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]map[string]json.RawMessage
	captures.Load(t, &all)
	blocks := regexp.MustCompile("(?s)```golden ([^\\s.]+)\\.(\\S+)( text)?\n(.*?)```").FindAllStringSubmatch(string(doc), -1)
	if len(blocks) < 10 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for _, b := range blocks {
		part, name, text, shown := b[1], b[2], b[3] != "", b[4]
		raw := all[part][name]
		if raw == nil { // one of several answers
			at := strings.LastIndexByte(name, '.')
			index, err := strconv.Atoi(name[at+1:])
			if at < 0 || err != nil {
				t.Errorf("%s.%s: no such capture", part, name)
				continue
			}
			var several []json.RawMessage
			if err := json.Unmarshal(all[part][name[:at]], &several); err != nil || index >= len(several) {
				t.Errorf("%s.%s: no such capture (%v)", part, name, err)
				continue
			}
			raw = several[index]
		}
		if part == "packets" { // for clients: as the stock parser spells it
			var spelled struct{ Text []string }
			if err := json.Unmarshal(raw, &spelled); err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(shown); got != strings.Join(spelled.Text, "\n") {
				t.Errorf("%s.%s\nshown %s\n sent %s", part, name, got, spelled.Text)
			}
			continue
		}
		var words []string
		if err := json.Unmarshal(raw, &words); err != nil {
			t.Fatal(err)
		}
		last := words[len(words)-1]
		switch {
		case words[0] == "xadd": // what Node tells Redis, word by word
			if got := strings.TrimSpace(shown); got != strings.Join(words, " ") {
				t.Errorf("%s.%s\nshown %s\n sent %s", part, name, got, strings.Join(words, " "))
			}
			continue
		case text:
			plain, err := hex.DecodeString(last)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(shown); got != string(plain) {
				t.Errorf("%s.%s\nshown %s\n sent %s", part, name, got, plain)
			}
			continue
		}
		var bytes strings.Builder
		for line := range strings.Lines(shown) {
			code, _, _ := strings.Cut(line, ";")
			bytes.WriteString(strings.Join(strings.Fields(code), ""))
		}
		if bytes.String() != last {
			t.Errorf("%s.%s\nshown %s\n sent %s", part, name, bytes.String(), last)
		}
	}
}
