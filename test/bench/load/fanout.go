package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// fanout measures a whole product: messages are posted to chats, and the time
// counts from the first byte of the request. A chat has one post under way at
// most, so that its messages have an order that the server must keep.
func (p *pool) fanout(o order, span time.Duration) (*report, error) {
	if len(o.Tokens) != len(o.Rooms) {
		return nil, errors.New("want a token for each room")
	}
	host := p.host
	if o.Post != "" {
		var err error
		if host, err = hostOf(o.Post); err != nil {
			return nil, err
		}
	}
	window := make(chan struct{}, max(o.Window, 1)) // one in it for each message under way
	h, err := p.open(o, "load:", func() {
		select {
		case <-window:
		default:
		}
	})
	if err != nil {
		return nil, err
	}
	f := &posting{host: host, order: o, hearing: h, window: window, quit: make(chan struct{})}
	workers := min(max(o.Workers, 1), len(o.Rooms))
	for w := range workers {
		f.workers.Go(func() { f.work(w, workers) })
	}
	r, err := p.watch(h, o, span)
	close(f.quit)
	f.workers.Wait()
	if err == nil {
		if failed := f.failed.Load(); failed != nil {
			err = *failed
		}
	}
	return r, err
}

type posting struct {
	*hearing
	host    string
	order   order
	window  chan struct{}
	quit    chan struct{}
	workers sync.WaitGroup
	failed  atomic.Pointer[error]
}

// work posts to every so-manieth room in turn, until told to end.
func (f *posting) work(first, step int) {
	c := &poster{host: f.host}
	defer c.close()
	var rooms []int
	for r := first; r < len(f.order.Rooms); r += step {
		rooms = append(rooms, r)
	}
	post := func(n int, due time.Duration) bool {
		room := rooms[n%len(rooms)]
		id, ok := f.send(room, due)
		if !ok {
			return false
		}
		if err := c.post(f.order.Rooms[room], f.order.Tokens[room], text(id, f.order.Bytes)); err != nil {
			err = fmt.Errorf("POST /api/messages: %w", err)
			f.failed.CompareAndSwap(nil, &err)
			return false
		}
		return true
	}
	if f.order.Rate > 0 {
		pace(f.order.Rate/float64(step), post)
		return
	}
	for n := 0; ; n++ {
		select {
		case <-f.quit:
			return
		case f.window <- struct{}{}:
		}
		if !post(n, now()) {
			return
		}
	}
}

// text is a message of a size with its id in front.
func text(id, size int) string {
	t := fmt.Sprintf("load:%d ", id)
	return t + strings.Repeat("x", max(size-len(t), 0))
}

// poster is one HTTP connection with one request at a time.
type poster struct {
	host string
	conn net.Conn
	in   *bufio.Reader
}

func (c *poster) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

const boundary = "loadloadload"

// post sends the form that a frontend sends.
func (c *poster) post(chat, token, text string) error {
	var form, request bytes.Buffer
	for _, f := range [][2]string{{"chatId", chat}, {"type", "text"}, {"textMessage", text}} {
		fmt.Fprintf(&form, "--%s\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", boundary, f[0], f[1])
	}
	fmt.Fprintf(&form, "--%s--\r\n", boundary)
	fmt.Fprintf(&request, "POST /api/messages HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: multipart/form-data; boundary=%s\r\nContent-Length: %d\r\n\r\n",
		c.host, token, boundary, form.Len())
	request.Write(form.Bytes())
	if c.conn == nil {
		conn, err := net.Dial("tcp", c.host)
		if err != nil {
			return err
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	if err := c.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	if _, err := c.conn.Write(request.Bytes()); err != nil {
		return err
	}
	answer, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.Close {
		c.close()
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("status %d: %.200s", answer.StatusCode, body)
	}
	return nil
}
