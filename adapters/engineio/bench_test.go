package engineio

import (
	"fmt"
	"io"
	"testing"
	"time"
)

// A broadcast to so many sockets, one iteration a broadcast: what a recipient
// costs is that divided by them. The reading is in the same process.
func BenchmarkBroadcast(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := start(b, Options{}, handler{})
			var all []*Session
			for range n {
				w := g.wire(v4ws)
				w.next(opText)
				_ = w.SetDeadline(time.Time{})
				go func() { _, _ = io.Copy(io.Discard, w) }()
				all = append(all, g.session())
			}
			data := []byte(repeat(200))
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				f := NewFrame(data, false)
				for _, s := range all {
					s.Push(f)
					s.Flush()
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/recipient")
		})
	}
}

// What it costs to note that a client has said something, on every packet.
func BenchmarkHears(b *testing.B) {
	g := start(b, Options{}, handler{})
	w := g.openWire()
	defer w.Close()
	s := g.session()
	b.ReportAllocs()
	for b.Loop() {
		s.hears(packetMessage)
	}
}

func BenchmarkFrame(b *testing.B) {
	for _, size := range []int{200, 1000, 4000} {
		data := []byte(repeat(size))
		b.Run(fmt.Sprint("make/", size), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				NewFrame(data, false)
			}
		})
		b.Run(fmt.Sprint("read/", size), func(b *testing.B) {
			wire := masked(fin|opText, "4"+repeat(size))
			buf := make([]byte, len(wire))
			f := framing{limit: 1 << 20}
			b.ReportAllocs()
			b.SetBytes(int64(len(wire)))
			for range b.N {
				copy(buf, wire)
				if _, err := f.read(buf, deaf{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
