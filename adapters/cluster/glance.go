package cluster

import (
	"slices"
	"strings"

	"parley/adapters/js"
)

// Most of what a pod hears concerns none of its sockets, and much of it is its
// own. A glance tells: at the channel's name, at the bytes every message of this
// pod begins or ends with, at the rooms, which are read without the rest. Who
// cannot tell by a glance decodes.

// marks are what the messages of one pod begin with, or end with.
type marks struct{ heads, tails []string }

func (m marks) on(payload string) bool {
	return slices.ContainsFunc(m.heads, func(h string) bool { return strings.HasPrefix(payload, h) }) ||
		slices.ContainsFunc(m.tails, func(t string) bool { return strings.HasSuffix(payload, t) })
}

// written is v as encode writes it, less the first and the last bytes: those of
// the list or object around it.
func written(encode func([]byte, any) ([]byte, error), v any, first, last int) string {
	b, err := encode(nil, v)
	if err != nil {
		return "" // cannot be: texts
	}
	return string(b[first : len(b)-last])
}

// classicMarks: a broadcast is a list that begins with the uid, a request an
// object that does.
func classicMarks(uid string) marks {
	asks := js.Object{{Key: "uid", Value: uid}}
	return marks{heads: []string{
		"\x93" + written(js.AppendNotepack, []any{uid}, 1, 0),
		written(js.AppendJSON, asks, 0, 1) + ",",
		"\x85" + written(js.AppendNotepack, asks, 1, 0),
	}}
}

// peerMarks: a message ends with the uid and the namespace.
func peerMarks(uid, nsp string) marks {
	end := js.Object{{Key: "uid", Value: uid}, {Key: "nsp", Value: nsp}}
	return marks{tails: []string{"," + written(js.AppendJSON, end, 1, 0), written(js.AppendMsgpack, end, 1, 0)}}
}

// format is how a message is spelled.
type format struct {
	find  func(s string, path ...string) (found string, ok bool)
	parse func(s string) (any, error)
}

var (
	asJSON    = format{js.FindJSON, js.ParseJSON}
	asMsgpack = format{js.FindMsgpack, js.ParseMsgpack}
)

// misses says whether the rooms at that path of the message are none of this
// pod's. No rooms at all are everybody's.
func (l *link) misses(f format, message string, path ...string) bool {
	if l.index == nil {
		return false
	}
	raw, ok := f.find(message, path...)
	if !ok {
		return false
	}
	v, err := f.parse(raw)
	rooms, ok := v.([]any)
	if err != nil || !ok || len(rooms) == 0 {
		return false
	}
	return !slices.ContainsFunc(rooms, func(v any) bool {
		room, ok := v.(string)
		return !ok || l.index.HasRoom(room)
	})
}

// unanswered says that a message asks for no answer, which it must get from a
// pod without sockets too. It may be wrong the other way: the word can be
// somebody's.
func unanswered(message string) bool { return !strings.Contains(message, "requestId") }

// The beginnings of a message of type 3, as Node and Parley write it.
const (
	jsonBroadcast    = `{"type":3,`
	msgpackBroadcast = "\x84\xa4type\x03"
)
