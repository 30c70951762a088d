package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// dialers is how many sockets are being set up at once, where nothing else is said.
const dialers = 64

// tooLong is how long a socket may take to be connected before it is tried again.
const tooLong = 10 * time.Second

// pool is the sockets, and the one goroutine that reads them all.
type pool struct {
	epoll   int
	host    string
	pid     int // of the server
	sockets []*socket
	rooms   map[string][]int
	next    int // id of the next message

	book    atomic.Pointer[hearing]
	dropped atomic.Int64 // connections that ended
	pings   atomic.Int64
	events  events
	// storming is where sockets go whose connection ends; nil while none should.
	storming atomic.Pointer[storm]
	reader   sync.WaitGroup
	closing  atomic.Bool
}

// hearing is what to do with messages while a measurement lasts.
type hearing struct {
	*book
	mark []byte // what an id stands behind
	last func() // a message has been received by all
}

var began = time.Now()

func now() time.Duration { return time.Since(began) }

func newPool() (*pool, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &pool{epoll: epoll, rooms: map[string][]int{}}, nil
}

func (p *pool) close() {
	p.closing.Store(true)
	p.reader.Wait()
	for _, s := range p.sockets {
		s.close()
	}
	_ = syscall.Close(p.epoll)
}

type connectReport struct {
	Connected int     `json:"connected"`
	Again     int     `json:"again"` // attempts after the first that failed
	Seconds   float64 `json:"seconds"`
	CPU       float64 `json:"us_per_connect"` // of the server, until it had settled
	Before    int     `json:"rss_before"`
	After     int     `json:"rss"`
	P99       float64 `json:"p99_ms"`

	Events     map[string]int `json:"events"` // until it had settled
	Courtesies int            `json:"courtesies"`
}

// connect adds sockets. It fails unless all of them come up. What connecting
// costs the server counts until it has had a time to settle: what it puts off is
// not free.
func (p *pool) connect(server string, pid int, clients []client, atOnce int, settle time.Duration) (*connectReport, error) {
	if err := p.aim(server, pid); err != nil {
		return nil, err
	}
	if len(p.sockets) > 0 {
		return nil, errors.New("there are sockets already")
	}
	address, err := net.ResolveTCPAddr("tcp4", p.host)
	if err != nil {
		return nil, err
	}
	for i, c := range clients {
		s := &socket{pool: p, index: i, auth: string(c.Auth)}
		s.heard = s.message
		p.sockets = append(p.sockets, s)
		for _, r := range c.Rooms {
			p.rooms[r] = append(p.rooms[r], i)
		}
	}
	p.reader.Go(p.read)

	report := &connectReport{Connected: len(clients)}
	if report.Before, err = memoryOf(pid); err != nil {
		return nil, err
	}
	from, err := p.instant(nil)
	if err != nil {
		return nil, err
	}
	var taken histogram
	if report.Again, err = p.dial(address, atOnce, &taken); err != nil {
		return nil, err
	}
	report.Seconds = time.Since(from.at).Seconds()
	time.Sleep(settle)
	to, err := p.instant(nil)
	if err != nil {
		return nil, err
	}
	report.CPU = per(to.server-from.server, len(clients))
	report.P99 = taken.quantile(0.99)
	report.Events, report.Courtesies = since(nil, p.events.sofar())
	report.After, err = memoryOf(pid)
	return report, err
}

func (p *pool) aim(server string, pid int) (err error) {
	p.pid = pid
	p.host, err = hostOf(server)
	return err
}

func hostOf(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	if u.Scheme != "http" || u.Port() == "" {
		return "", fmt.Errorf("want http://HOST:PORT, have %q", server)
	}
	return u.Host, nil
}

// attempts is how often a socket is tried: a server may turn some of a rush away.
const attempts = 3

// dial connects every socket.
func (p *pool) dial(address *net.TCPAddr, atOnce int, taken *histogram) (again int, err error) {
	if atOnce == 0 {
		atOnce = dialers
	}
	var mu sync.Mutex
	var next atomic.Int64
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(p.sockets); i = int(next.Add(1)) - 1 {
				start := now()
				tried, failed := p.sockets[i].connect(address)
				mu.Lock()
				taken.add(now() - start)
				again += tried - 1
				if failed != nil && err == nil {
					err = fmt.Errorf("socket %d: %w", i, failed)
				}
				stop := err != nil
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	all.Wait()
	return again, err
}

// read reads all sockets until the pool is closed.
func (p *pool) read() {
	runtime.LockOSThread() // it is in the kernel more than out of it
	events := make([]syscall.EpollEvent, 512)
	buffer := make([]byte, 64<<10)
	for !p.closing.Load() {
		n, err := syscall.EpollWait(p.epoll, events, 100)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			panic(err) // the epoll set is ours: this is a mistake in this program
		}
		for _, e := range events[:max(n, 0)] {
			p.sockets[e.Fd].readable(buffer)
		}
	}
}

type leaveReport struct {
	Left int `json:"left"`
}

// leave closes the connections one after the other, as evenly as it can.
func (p *pool) leave(span time.Duration) leaveReport {
	start := now()
	for i, s := range p.sockets {
		s.leaving.Store(true)
		_ = syscall.Shutdown(s.fd, syscall.SHUT_RDWR) // one that has gone already
		time.Sleep(start + span*time.Duration(i+1)/time.Duration(len(p.sockets)) - now())
	}
	return leaveReport{Left: len(p.sockets)}
}

type idleReport struct {
	RSS     int     `json:"rss"`
	CPU     float64 `json:"cpu_ms_per_s"`
	Pings   int64   `json:"pings"`
	Dropped int64   `json:"dropped"`
}

// idle sends nothing for a time and answers pings.
func (p *pool) idle(span time.Duration) (*idleReport, error) {
	pings := p.pings.Load()
	from, err := p.instant(nil)
	if err != nil {
		return nil, err
	}
	time.Sleep(span)
	to, err := p.instant(nil)
	if err != nil {
		return nil, err
	}
	report := &idleReport{Pings: p.pings.Load() - pings, Dropped: p.dropped.Load()}
	report.CPU = (to.server - from.server).Seconds() * 1e3 / to.at.Sub(from.at).Seconds()
	report.RSS, err = memoryOf(p.pid)
	return report, err
}
