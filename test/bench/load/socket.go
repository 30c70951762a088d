package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// socket is one client. What it reads belongs to the pool's reader; it is
// written to from anywhere.
type socket struct {
	pool  *pool
	index int
	auth  string
	// pid and offset are by which a client that comes back says where it was.
	pid, offset string
	heard       func(text []byte) // what follows the name of a new_message

	writing sync.Mutex
	fd      int

	upgraded bool
	rest     []byte // of a frame that is not whole
	parts    []byte // of a message that comes in several frames
	joined   bool
	gone     atomic.Bool // it was connected and is no more
	leaving  atomic.Bool // as it was told to
	ended    bool
	ready    chan error // gets one value: that it is connected, or why not
}

var errTooLong = errors.New("not connected in time")

const upgrade = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// connect returns once the server has answered CONNECT, or has not often enough.
func (s *socket) connect(address *net.TCPAddr) (tried int, err error) {
	for tried < attempts {
		tried++
		if err = s.attempt(address, tooLong); err == nil {
			break
		}
		s.close()
	}
	return tried, err
}

func (s *socket) attempt(address *net.TCPAddr, patience time.Duration) error {
	// An attempt that failed has left the epoll set: the reader has no part in this.
	s.upgraded, s.ended, s.rest, s.parts = false, false, nil, nil
	s.ready = make(chan error, 1)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	s.writing.Lock()
	s.fd = fd
	s.writing.Unlock()
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: address.Port, Addr: [4]byte(address.IP.To4())}); err != nil {
		return err
	}
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		return err
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		return err
	}
	// Fd carries the socket's index: the reader finds the socket by it.
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP, Fd: int32(s.index)}
	if err := syscall.EpollCtl(s.pool.epoll, syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
		return err
	}
	late := time.After(patience)
	err = s.write(fmt.Appendf(nil, upgrade, s.pool.host))
	if err == nil {
		select {
		case err := <-s.ready:
			return err
		case <-late:
			err = errTooLong
		}
	}
	// The reader takes the socket out of its set.
	_ = syscall.Shutdown(fd, syscall.SHUT_RDWR)
	return errors.Join(err, <-s.ready)
}

func (s *socket) close() {
	if s.fd > 0 {
		_ = syscall.Close(s.fd)
	}
}

// write writes the whole of b. It is little, so that a full socket is waited
// for and not queued for.
func (s *socket) write(b []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	for deadline := now() + 10*time.Second; len(b) > 0; {
		n, err := syscall.Write(s.fd, b)
		b = b[max(n, 0):]
		switch {
		case err == nil, errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN) && now() < deadline:
			time.Sleep(100 * time.Microsecond)
		default:
			return err
		}
	}
	return nil
}

// readable reads once and takes what came.
func (s *socket) readable(buffer []byte) {
	if s.ended {
		return
	}
	n, err := syscall.Read(s.fd, buffer)
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return
	case err == nil && n == 0:
		err = errors.New("the server closed the connection")
	case err == nil:
		err = s.take(buffer[:n])
	}
	if err != nil {
		s.end(err)
	}
}

func (s *socket) end(why error) {
	s.ended = true
	_ = syscall.EpollCtl(s.pool.epoll, syscall.EPOLL_CTL_DEL, s.fd, nil)
	if s.joined && s.leaving.Load() {
		s.gone.Store(true)
		return
	}
	if s.joined {
		s.gone.Store(true)
		s.pool.dropped.Add(1)
		if left := s.pool.storming.Load(); left != nil {
			left.lost(s)
			return
		}
		fmt.Fprintf(os.Stderr, "load: socket %d: %v\n", s.index, why)
		if h := s.pool.book.Load(); h != nil {
			h.forget(s.index)
		}
		return
	}
	s.ready <- why
}

// take reads all that is whole in what has come so far.
func (s *socket) take(b []byte) error {
	if len(s.rest) > 0 {
		s.rest = append(s.rest, b...)
		b = s.rest
	}
	if !s.upgraded {
		head, after, whole := bytes.Cut(b, []byte("\r\n\r\n"))
		if !whole {
			s.rest = bytes.Clone(b)
			return nil
		}
		if !bytes.HasPrefix(head, []byte("HTTP/1.1 101")) {
			return fmt.Errorf("no upgrade: %q", head)
		}
		s.upgraded, b = true, after
	}
	for {
		f, n, err := nextFrame(b)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		b = b[n:]
		if err := s.frame(f); err != nil {
			return err
		}
	}
	if s.rest = nil; len(b) > 0 {
		s.rest = bytes.Clone(b)
	}
	return nil
}

func (s *socket) frame(f frame) error {
	switch {
	case f.op == opClose:
		return fmt.Errorf("the server sent a close frame: %q", f.payload)
	case f.op == opText && f.fin:
		return s.packet(f.payload)
	case f.op == opText:
		s.parts = bytes.Clone(f.payload)
	case f.op == opContinuation:
		s.parts = append(s.parts, f.payload...)
		if f.fin {
			whole := s.parts
			s.parts = nil
			return s.packet(whole)
		}
	}
	return nil
}

var (
	pong       = clientFrame("3")
	newMessage = []byte(`42["new_message",`)
	offsetOf   = []byte(`42["parley:offset","`)
	event      = []byte(`42["`)
	connected  = []byte("40")
	pidIn      = []byte(`"pid":"`)
	refused    = []byte("44")
)

// packet takes an Engine.IO packet. Of events other than new_message it is
// counted that they came.
func (s *socket) packet(b []byte) error {
	switch {
	case bytes.HasPrefix(b, newMessage):
		s.heard(b[len(newMessage):])
	case bytes.HasPrefix(b, event):
		s.event(b)
	case len(b) == 0, b[0] == '1', bytes.HasPrefix(b, []byte("41")), bytes.HasPrefix(b, refused):
		return fmt.Errorf("the server said %q", b)
	case b[0] == '0':
		return s.write(clientFrame("40" + s.credentials()))
	case b[0] == '2':
		s.pool.pings.Add(1)
		return s.write(pong)
	case bytes.HasPrefix(b, connected) && !s.joined:
		s.pid = textAfter(b, pidIn)
		s.joined = true
		s.ready <- nil
	}
	return nil
}

func (s *socket) event(b []byte) {
	s.pool.events.add(b[len(event):])
	if bytes.HasPrefix(b, offsetOf) {
		s.offset = textAfter(b, offsetOf)
	}
}

// credentials are the auth of CONNECT: with where it was, of one that comes back.
func (s *socket) credentials() string {
	if s.pid == "" {
		return s.auth
	}
	offset := ""
	if s.offset != "" {
		offset = fmt.Sprintf(`,"offset":%q`, s.offset)
	}
	return fmt.Sprintf(`%s,"pid":%q%s}`, strings.TrimSuffix(s.auth, "}"), s.pid, offset)
}

// textAfter is what stands between the mark and the next quotation mark.
func textAfter(b, mark []byte) string {
	_, after, _ := bytes.Cut(b, mark)
	text, _, _ := bytes.Cut(after, []byte(`"`))
	return string(text)
}

// message notes a new_message, if anybody wants to know.
func (s *socket) message(text []byte) {
	h := s.pool.book.Load()
	if h == nil {
		return
	}
	id, ok := numberAfter(text, h.mark)
	if !ok {
		id = -1
	}
	if h.received(s.index, id, now()) {
		h.last()
	}
}
