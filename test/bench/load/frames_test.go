package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// serverFrame is an unmasked one.
func serverFrame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = append(b, 126, byte(n>>8), byte(n))
	default:
		b = append(b, 127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(b, payload...)
}

func TestNextFrame(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 70000} {
		want := strings.Repeat("x", size)
		b := serverFrame(0x81, want)
		for _, cut := range []int{0, 1, 2, 3, len(b) / 2, len(b) - 1} {
			if cut >= len(b) {
				continue
			}
			if _, n, err := nextFrame(b[:cut]); n != 0 || err != nil {
				t.Fatalf("size %d, the first %d bytes: %d, %v", size, cut, n, err)
			}
		}
		f, n, err := nextFrame(append(b, "tail"...))
		if err != nil || n != len(b) || !f.fin || f.op != opText || string(f.payload) != want {
			t.Fatalf("size %d: %d of %d bytes, fin %v, op %d, %v", size, n, len(b), f.fin, f.op, err)
		}
	}
	for want, b := range map[error][]byte{
		errMasked:   clientFrame("hi"),
		errReserved: {0xC1, 0},
		errTooLarge: {0x81, 127, 1, 0, 0, 0, 0, 0, 0, 0},
	} {
		if _, _, err := nextFrame(b); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

func TestNumberAfter(t *testing.T) {
	for in, want := range map[string]int{`{"a":1,"id":42,`: 42, `"id":x`: -1, `none`: -1, `"id":7`: 7} {
		v, ok := numberAfter([]byte(in), []byte(`"id":`))
		if !ok {
			v = -1
		}
		if v != want {
			t.Errorf("%s: %d, want %d", in, v, want)
		}
	}
}

// A socket hears what is whole, however the bytes are cut and whatever comes in
// pieces.
func TestASocketReadsAStream(t *testing.T) {
	head := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
	long := `42["new_message",{"id":2,"text":"` + strings.Repeat("x", 300) + `"}]`
	stream := []byte(head)
	for _, f := range [][]byte{
		serverFrame(0x81, `42["new_message",{"id":1}]`),
		serverFrame(0x82, "an attachment"),
		serverFrame(0x01, long[:100]), serverFrame(0x00, long[100:200]), serverFrame(0x80, long[200:]),
		serverFrame(0x81, `42["other",{"id":9}]`),
		serverFrame(0x81, `42["new_message",{"id":3}]`),
	} {
		stream = append(stream, f...)
	}
	for piece := 1; piece < len(stream); piece += 7 {
		var heard []string
		s := &socket{pool: &pool{}, heard: func(text []byte) { heard = append(heard, string(text)) }}
		for b := range slices.Chunk(stream, piece) {
			if err := s.take(b); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.Join(heard, " "); got != `{"id":1}] `+long[17:]+` {"id":3}]` {
			t.Fatalf("in pieces of %d it heard %s", piece, got)
		}
	}
}
