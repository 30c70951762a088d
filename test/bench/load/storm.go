package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"syscall"
	"time"
)

// What a stock client waits before it tries again: its first wait, the longest,
// and by how much, of it, one wait differs from another.
const (
	firstWait = time.Second
	lastWait  = 5 * time.Second
	jitter    = 0.5
	aRush     = time.Minute // more than a server may take over a handshake
)

type stormReport struct {
	Back     int     `json:"back"`     // sockets that are in again
	Attempts int     `json:"attempts"` // that took
	Seconds  float64 `json:"seconds"`  // from the end of their server until the last was
	P50      float64 `json:"p50_ms"`   // from the attempt that worked to its answer
	P99      float64 `json:"p99_ms"`
}

// storm is sockets whose server is killed and which come back to others.
type storm struct {
	addresses []*net.TCPAddr
	done      chan struct{} // closed once all are back

	mu       sync.Mutex
	out      map[*socket]bool // those that are not back
	attempts int
	taken    histogram
}

// storm kills the server and returns once all sockets are back, on the servers
// named, at each as a stock client would be.
func (p *pool) storm(servers []string) (*stormReport, error) {
	st := &storm{done: make(chan struct{}), out: map[*socket]bool{}}
	for _, server := range servers {
		u, err := url.Parse(server)
		if err != nil {
			return nil, err
		}
		address, err := net.ResolveTCPAddr("tcp4", u.Host)
		if err != nil {
			return nil, err
		}
		st.addresses = append(st.addresses, address)
	}
	if len(st.addresses) == 0 || len(p.sockets) == 0 {
		return nil, errors.New("want sockets, and where they can go")
	}
	for _, s := range p.sockets {
		st.out[s] = true
	}
	p.storming.Store(st)
	start := time.Now()
	if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil {
		return nil, fmt.Errorf("kill %d: %w", p.pid, err)
	}
	<-st.done
	p.storming.Store(nil)
	return &stormReport{
		Back: len(p.sockets), Attempts: st.attempts, Seconds: time.Since(start).Seconds(),
		P50: st.taken.quantile(0.5), P99: st.taken.quantile(0.99),
	}, nil
}

// lost is told by the reader that a socket's connection has ended.
func (st *storm) lost(s *socket) {
	st.mu.Lock()
	st.out[s] = true
	st.mu.Unlock()
	go st.comeBack(s)
}

func (st *storm) comeBack(s *socket) {
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		s.close()
		time.Sleep(time.Duration(float64(wait) * (1 + jitter*(2*rand.Float64()-1))))
		start := now()
		s.joined = false
		if st.tried(s, s.attempt(st.addresses[rand.IntN(len(st.addresses))], aRush), now()-start) {
			return
		}
	}
}

func (st *storm) tried(s *socket, err error, took time.Duration) (back bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.attempts++
	if err != nil {
		return false
	}
	s.gone.Store(false)
	st.taken.add(took)
	if delete(st.out, s); len(st.out) == 0 {
		close(st.done)
	}
	return true
}
