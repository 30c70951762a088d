package engineio

import (
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// meeting is a session whose alarms never ring by themselves.
func meeting(t *testing.T) (*rig, *Session) {
	t.Helper()
	g := start(t, Options{PingInterval: time.Hour, PingTimeout: time.Hour}, handler{})
	w := g.openWire()
	_ = w.SetDeadline(time.Time{})
	go func() { _, _ = io.Copy(io.Discard, w.r) }()
	return g, g.session()
}

// A pong that meets a ping asked for by somebody leaves the heartbeat waiting for
// one of the two: what is waited for and its alarm change together, or nothing
// would ever be. Whoever changes them is stopped at each of the two locks.
func TestPongsMeetPings(t *testing.T) {
	for name, half := range map[string]struct {
		do          func(*Session)
		before      uint32
		after       uint32
		rings, then func(*Server) *alarms
	}{
		"a ping":         {func(s *Session) { s.Ping() }, resting, awaiting, pings, pongs},
		"a pong":         {func(s *Session) { s.hears(packetPong) }, awaiting, resting, pongs, pings},
		"something else": {func(s *Session) { s.hears(packetMessage) }, awaiting, extended, pongs, pongs},
	} {
		t.Run(name, func(t *testing.T) {
			g, s := meeting(t)
			if half.before == awaiting {
				s.Ping()
			}
			table := s.server.times
			is := func(when string, waits uint32, on *alarms) {
				t.Helper()
				if s.waiting.Load() != waits || s.beat.on != on {
					t.Errorf("%s it waits for %d, and the alarm is that for it: %v", when, s.waiting.Load(), s.beat.on == on)
				}
			}
			s.mu.Lock()
			due := s.beat.due
			done := make(chan struct{})
			go func() { defer close(done); half.do(s) }()
			if !blocked(done, "(*Session).hears", "(*Session).Ping") {
				t.Error("done while another had the session")
			}
			is("while another has the session", half.before, half.rings(g.engine))
			table.mu.Lock()
			s.mu.Unlock()
			if !blocked(done, "(*timetable).set") {
				t.Error("done while another had the alarms")
			}
			if s.mu.TryLock() {
				t.Error("the session can be had between the two")
				s.mu.Unlock()
			}
			is("before its alarm is set", half.after, half.rings(g.engine))
			table.mu.Unlock()
			<-done
			s.mu.Lock()
			defer s.mu.Unlock()
			is("in the end", half.after, half.then(g.engine))
			if s.beat.due <= due {
				t.Error("the alarm was not set anew")
			}
		})
	}
}

func pings(s *Server) *alarms { return s.pings }
func pongs(s *Server) *alarms { return s.pongs }

// blocked returns once one of the functions waits for a mutex; false says that
// all is done instead.
func blocked(done <-chan struct{}, functions ...string) bool {
	buf := make([]byte, 1<<20)
	for {
		select {
		case <-done:
			return false
		default:
		}
		for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			_, asks, _ := strings.Cut(stack, "\nparley/adapters/engineio.")
			name, _, _ := strings.Cut(asks, "(0x")
			if strings.Contains(stack, " [sync.Mutex.Lock") && slices.Contains(functions, name) {
				return true
			}
		}
		runtime.Gosched()
	}
}

// The same as it comes, many times.
func TestPongsMeetPingsAtOnce(t *testing.T) {
	g, s := meeting(t)
	var all sync.WaitGroup
	var rounds atomic.Int64
	const enough = 6000
	for _, fn := range []func(){func() { s.Ping() }, func() { s.hears(packetPong) }, func() { s.hears(packetMessage) }} {
		all.Go(func() {
			for rounds.Add(1) <= enough {
				fn()
			}
		})
	}
	for rounds.Load() < enough {
		s.mu.Lock()
		waits, on := s.waiting.Load(), s.beat.on
		s.mu.Unlock()
		if waits == resting && on != g.engine.pings || waits != resting && on != g.engine.pongs {
			t.Errorf("it waits for %d, and nothing rings for that", waits)
			break
		}
	}
	rounds.Store(enough)
	all.Wait()
}
