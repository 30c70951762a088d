package engineio

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"
)

// maxIdle is what an idle WebSocket may cost in heap and stacks, the client's
// side of it in this process included, which is some 600 bytes.
const maxIdle = 6 << 10

func memory() uint64 {
	var m runtime.MemStats
	for range 3 { // stacks shrink by half at a time, pools empty at the second
		runtime.GC()
	}
	debug.FreeOSMemory()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func TestIdleWebSocketsAreSmall(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector keeps memory of its own")
	}
	g := start(t, Options{}, handler{message: echoes})
	const n = 2000
	var wires []*wire
	before := memory()
	for range n {
		w := g.openWire()
		w.send(masked(fin|opText, "4"+repeat(3000))) // it was not always idle
		w.nexts(opText, "4"+repeat(3000))
		w.r = nil
		g.session()
		wires = append(wires, w)
	}
	var after uint64
	eventually(t, "what connecting took is given back", func() bool {
		after = memory()
		t.Logf("%d bytes for an idle WebSocket", (after-before)/n)
		return after < before+n*maxIdle
	})
	t.Logf("%d bytes for an idle WebSocket", (after-before)/n)
	if runtime.NumGoroutine() > n+n/10 {
		t.Fatal(runtime.NumGoroutine(), "goroutines")
	}
	runtime.KeepAlive(wires)
}

func TestChurn(t *testing.T) {
	sessions := 10_000
	if testing.Short() || raceEnabled {
		sessions = 2000
	}
	g := start(t, Options{}, handler{message: echoes})
	go func() {
		for range g.opened {
		}
	}()
	defer close(g.opened)
	const workers = 8
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			for i := range sessions / workers {
				w := g.wire(v4ws)
				w.next(opText)
				switch i % 4 {
				case 0:
					w.send(masked(fin|opClose, ""))
					w.nexts(opClose, "")
				case 1:
					w.send(masked(fin|opText, fmt.Sprint("4", worker)))
					w.nexts(opText, fmt.Sprint("4", worker))
				case 2:
					w.send(masked(fin|opText, "nonsense"))
					w.closed(0)
				}
				w.Close()
			}
		})
	}
	ended := 0
	for deadline := time.After(2 * time.Minute); ended < sessions; ended++ {
		select {
		case <-g.ended:
		case <-deadline:
			t.Fatalf("%d of %d ended", ended, sessions)
		}
	}
	all.Wait()
	if g.engine.Len() > 0 {
		t.Fatal(g.engine.Len(), "sessions are left")
	}
	g.engine.times.mu.Lock()
	for _, l := range g.engine.times.lists {
		if l.first != nil || l.last != nil {
			t.Error("an alarm is left")
		}
	}
	g.engine.times.mu.Unlock()
	if err := g.engine.Close(); err != nil {
		t.Fatal(err)
	}
	if err := leaksOf(g.engine); err != nil {
		t.Fatal(err)
	}
}
