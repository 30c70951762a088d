package engineio

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"unicode/utf8"
)

// heard notes what a reader hands on.
type heard struct{ all []string }

func (h *heard) message(op byte, data []byte) error {
	if op == opText && !utf8.Valid(data) {
		return errors.New("text that is not UTF-8")
	}
	h.all = append(h.all, fmt.Sprintf("%d:%s", op, data))
	return nil
}

func (h *heard) control(op byte, data []byte) error {
	h.all = append(h.all, fmt.Sprintf("%d:%s", op, data))
	if op == opClose {
		return errPeerClosed
	}
	return nil
}

// readIn reads b as a WebSocket does, in pieces of the sizes size says.
func readIn(b []byte, limit int64, size func() int) ([]string, error) {
	f, h := framing{limit: limit}, &heard{}
	var buf [readSize]byte
	have := 0
	for len(b) > 0 {
		n := copy(buf[have:], b[:min(len(b), max(size(), 1))])
		if n == 0 {
			return h.all, errors.New("the buffer is full and nothing is read")
		}
		b = b[n:]
		have += n
		used, err := f.read(buf[:have], h)
		if err != nil {
			return h.all, err
		}
		have = copy(buf[:], buf[used:have])
		if int64(len(f.message)) > limit {
			return h.all, errors.New("more is kept than may be")
		}
	}
	return h.all, nil
}

// Whatever comes, and however it is cut, is read alike, within its bounds.
func FuzzFrames(f *testing.F) {
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, seed := range [][]byte{
		masked(fin|opText, "4hello"), masked(fin|opBinary, repeat(200)), masked(fin|opText, repeat(5000)),
		join(masked(opText, "4a"), masked(fin|opPing, "x"), masked(0, ""), masked(fin, "b")), masked(fin|opClose, "\x03\xe8bye"),
		join(masked(opBinary, repeat(4090)), masked(fin, repeat(4096))), {fin | opText, 0xff, 0, 0, 0, 0, 0, 0, 0x10, 0}, {fin | 0x40, 0x80}, {},
	} {
		f.Add(seed, uint64(1))
	}
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		const limit = 10_000
		rnd := rand.New(rand.NewPCG(seed, 1))
		whole, err := readIn(bytes.Clone(b), limit, func() int { return readSize })
		parts, err2 := readIn(bytes.Clone(b), limit, func() int { return 1 + rnd.IntN(50) })
		if fmt.Sprint(whole) != fmt.Sprint(parts) || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Fatalf("in large pieces %q, %v; in small ones %q, %v", whole, err, parts, err2)
		}
		for _, m := range whole {
			if len(m) > limit+3 {
				t.Fatal("a message over the limit")
			}
		}
	})
}

// What a reader makes of our own frames is what was sent.
func FuzzFrameRoundTrip(f *testing.F) {
	f.Add([]byte("hello"), true)
	f.Add([]byte(repeat(70_000)), false)
	f.Fuzz(func(t *testing.T, data []byte, binary bool) {
		if !binary && !utf8.Valid(data) {
			return
		}
		frame := NewFrame(data, binary)
		b := masked(frame.wire[0], string(frame.payload()))
		got, err := readIn(b, 1<<20, func() int { return readSize })
		if err != nil || len(got) != 1 {
			t.Fatal(got, err)
		}
		p, err := parseFrame(4, got[0][0] == '0'+opBinary, []byte(got[0][2:]))
		if err != nil || p.kind != packetMessage || p.binary != binary || !bytes.Equal(p.data, data) {
			t.Fatalf("%+v, %v", p, err)
		}
	})
}

func collect(s *Session, body []byte, binary bool) (all []packet, err error) {
	for p, bad := range s.packets(body, binary) {
		if bad != nil {
			return all, bad
		}
		all = append(all, packet{p.kind, bytes.Clone(p.data), p.binary})
	}
	return all, nil
}

// encode spells packets that were read as frames, messages alone.
func encode(all []packet) (frames []*Frame) {
	for _, p := range all {
		if p.kind == packetMessage {
			frames = append(frames, NewFrame(p.data, p.binary))
		}
	}
	return frames
}

func checkPayload(t *testing.T, s *Session, body []byte, binary bool) {
	all, err := collect(s, bytes.Clone(body), binary)
	if len(all) > len(body) {
		t.Fatalf("%d packets of %d bytes", len(all), len(body))
	}
	for _, p := range all {
		if p.kind < packetOpen || p.kind > packetNoop || len(p.data) > 3*len(body) {
			t.Fatalf("%+v", p)
		}
		if !p.binary && !utf8.Valid(p.data) {
			t.Fatalf("text that is not UTF-8: %q", p.data)
		}
	}
	frames := encode(all)
	if err != nil || len(frames) == 0 {
		return
	}
	spelt, text := encodePayload(s, frames)
	again, err := collect(s, spelt, !text)
	if err != nil || len(again) != len(frames) {
		t.Fatalf("%q is read back as %d of %d, %v", spelt, len(again), len(frames), err)
	}
	for i, p := range again {
		if p.binary != frames[i].isBinary || !bytes.Equal(NewFrame(p.data, p.binary).wire, frames[i].wire) {
			t.Fatalf("%q is read back as %q", frames[i].wire, p.data)
		}
	}
}

func FuzzPayloadV4(f *testing.F) {
	for _, seed := range []string{"4hello", "4a\x1ebAQIDBA==\x1e2", "", "4", "\x1e", "b", "4ż\xff", "6\x1e1\x1e4late"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) { checkPayload(t, &Session{protocol: 4}, body, false) })
}

func FuzzPayloadV3(f *testing.F) {
	for _, seed := range []string{"6:4hello", "4:4🐢1:2", "0:", "", "10:b4AQIDBA==", "-1:4", "99999999999999999999:4", "2:b4"} {
		f.Add([]byte(seed), false, false)
		f.Add([]byte(seed), false, true)
	}
	for _, seed := range []string{"\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04", "\x00\x02\xff4\xed\xa0\x80", "\x00\x09\xff4", "\x01\xff", "\x00\x0a\xff"} {
		f.Add([]byte(seed), true, false)
	}
	f.Fuzz(func(t *testing.T, body []byte, binary, base64 bool) {
		checkPayload(t, &Session{protocol: 3, base64: base64}, body, binary)
		if n := units16(body); strconv.Itoa(n) == "" || n > len(body) {
			t.Fatal(n)
		}
	})
}
