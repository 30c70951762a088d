package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
	"time"
)

// stand is a pod that is posted to: what it is posted, the sockets of the pool
// are told, and an event of each kind with it.
func stand(t *testing.T, p *pool) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := r.FormValue("textMessage")
		for _, packet := range []string{`42["new_message",{"content":"` + text + `"}]`, `42["parley:offset","x"]`, `42["user_online",{}]`} {
			for _, socket := range p.sockets {
				if err := socket.packet([]byte(packet)); err != nil {
					t.Error(err)
				}
			}
		}
		w.WriteHeader(http.StatusCreated)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestFanoutThroughAnotherPod(t *testing.T) {
	p := &pool{rooms: map[string][]int{"chat": {0, 1}}, pid: os.Getpid()}
	for i := range 2 {
		s := &socket{pool: p, index: i}
		s.heard = s.message
		p.sockets = append(p.sockets, s)
	}
	mine := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the sockets' pod was posted to") }))
	defer mine.Close()
	p.host = mine.Listener.Addr().String()
	r, err := p.fanout(order{
		Rooms: []string{"chat"}, Tokens: []string{"t"}, Bytes: 20, Window: 2, Workers: 1,
		Post: stand(t, p).URL, Beside: map[string]int{"post": os.Getpid()},
	}, 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if r.Deliveries == 0 || r.Deliveries > 2*r.Messages+4 || r.Lost+r.Twice+r.Reordered+r.Stray != 0 {
		t.Errorf("%+v", r)
	}
	if r.Courtesies < r.Deliveries-4 || r.Courtesies > r.Deliveries+4 || r.Events[offset] == 0 {
		t.Errorf("of one event beside each of %d deliveries %d were counted: %v", r.Deliveries, r.Courtesies, r.Events)
	}
	if post := r.Beside["post"]; post <= 0 {
		t.Errorf("the pod that was posted to took %v µs", post)
	}
	if _, err := p.fanout(order{Rooms: []string{"chat"}, Tokens: []string{"t"}, Post: "chat.example"}, 0); err == nil {
		t.Error("a pod without an address was taken")
	}
}

func TestWhatConnectingPutsOffCounts(t *testing.T) {
	p, err := newPool()
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	began := time.Now()
	r, err := p.connect("http://127.0.0.1:1", os.Getpid(), nil, 0, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if d := time.Since(began); d < 50*time.Millisecond || r.Seconds > .04 || r.After == 0 {
		t.Errorf("it took %v, of which %v s are told as connecting: %+v", d, r.Seconds, r)
	}
}

func TestLeavingIsNoLoss(t *testing.T) {
	p, err := newPool()
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	var near, far [2]int
	for i := range near {
		pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		near[i], far[i] = pair[0], pair[1]
		defer func() { _ = syscall.Close(far[i]) }()
		p.sockets = append(p.sockets, &socket{pool: p, index: i, fd: near[i], upgraded: true, joined: true})
		event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP, Fd: int32(i)}
		if err := syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_ADD, near[i], &event); err != nil {
			t.Fatal(err)
		}
	}
	p.reader.Go(p.read)
	began := time.Now()
	if r := p.leave(60 * time.Millisecond); r.Left != 2 || time.Since(began) < 60*time.Millisecond {
		t.Errorf("%d left in %v", r.Left, time.Since(began))
	}
	for i := range far {
		if n, err := syscall.Read(far[i], make([]byte, 1)); n != 0 || err != nil {
			t.Errorf("socket %d is still open: %d, %v", i, n, err)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); !p.sockets[1].gone.Load(); {
		if time.Now().After(deadline) {
			t.Fatal("the reader has not noticed")
		}
		time.Sleep(time.Millisecond)
	}
	if n := p.dropped.Load(); n != 0 {
		t.Errorf("%d count as dropped by the server", n)
	}
}
