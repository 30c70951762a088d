package engineio

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

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
