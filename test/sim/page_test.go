package sim

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"parley/models"
)

// page is a browser's page with a stock client, as it would behave: it keeps pid
// and offset where it is modern (4.6 and later), heeds pings, and comes back with
// backoff as long as it is open.
type page struct {
	world  *world
	user   models.UserID
	name   string
	modern bool
	random *rand.Rand
	cancel context.CancelFunc
	done   chan struct{}
	opened time.Time

	mu          sync.Mutex
	link        *link
	pid, offset string
	connected   bool
	conns       int
	on          map[int]*pod      // which each connection led to
	ended       map[int]time.Time // when what came through each connection began to be in doubt
	broke       []time.Time       // when connections broke, where nobody can know what was under way
	came        []time.Time       // when it was let in
	got         []receipt
	told        []announcement
	stays       []stay
	refused     string
	shut        time.Time // when the user closed it
	stalled     []outage  // when it read nothing
}

// receipt is one new_message as a page got it.
type receipt struct {
	id   models.MessageID
	conn int // the how manieth connection of the page it came on
	at   time.Time
}

// announcement is user_online or user_offline as a page got it.
type announcement struct {
	user   models.UserID
	online bool
	at     time.Time
}

func (w *world) open(user models.UserID, modern bool) *page {
	w.pages++
	name := fmt.Sprintf("%s/%d", user, w.pages)
	ctx, cancel := context.WithCancel(context.Background())
	p := &page{
		world: w, user: user, name: name, modern: modern, cancel: cancel, done: make(chan struct{}), opened: time.Now(), on: map[int]*pod{},
		random: rand.New(rand.NewPCG(w.seed, uint64(w.pages)<<8|7)),
	}
	w.all = append(w.all, p)
	go func() {
		defer close(p.done)
		p.run(ctx)
	}()
	return p
}

// close is what a browser does with a page that is closed or loaded anew: its
// connection ends without a word.
func (p *page) close() {
	p.unknowable()
	p.mu.Lock()
	p.shut = time.Now()
	p.mu.Unlock()
	p.cancel()
	<-p.done
}

func (p *page) run(ctx context.Context) {
	const shortest, longest = time.Second, 5 * time.Second
	delay := shortest
	for ctx.Err() == nil {
		if p.connect(ctx) {
			delay = shortest
		}
		wait := time.Duration(float64(delay) * (0.5 + p.random.Float64()))
		delay = min(2*delay, longest)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// connect is one connection from beginning to end; opened says whether it came
// to be.
func (p *page) connect(ctx context.Context) (opened bool) {
	pod := p.world.balance(p.random)
	if pod == nil {
		return false
	}
	l, err := pod.clients.dial(time.Duration(200+p.random.IntN(2000)) * time.Microsecond)
	if err != nil {
		return false
	}
	select {
	case pod.listener.conns <- l.b:
	case <-pod.listener.done:
		return false
	}
	p.mu.Lock()
	p.link = l
	p.conns++
	conn := p.conns
	p.on[conn] = pod
	p.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { _ = l.a.Close() })
	defer func() {
		stop()
		_ = l.a.Close()
		p.mu.Lock()
		p.link, p.connected = nil, false
		p.ends()
		p.mu.Unlock()
	}()
	_ = l.a.SetReadDeadline(time.Now().Add(20 * time.Second)) // the manager's timeout
	if _, err := io.WriteString(l.a, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"); err != nil {
		return false
	}
	r := bufio.NewReader(l.a)
	status, err := r.ReadString('\n')
	if err != nil || !strings.Contains(status, " 101 ") {
		return false
	}
	for line := ""; line != "\r\n"; {
		if line, err = r.ReadString('\n'); err != nil {
			return false
		}
	}
	for {
		p.rest(ctx, l)
		text, err := readFrame(r)
		if err != nil {
			p.mu.Lock()
			stalled := len(p.stalled) > 0
			p.mu.Unlock()
			if stalled { // its pod knows as little what it read of what was sent last
				p.unknowable()
			}
			if errors.Is(err, errEnded) {
				_, _ = l.a.Write([]byte{0x88, 0x80, 0, 0, 0, 0}) // as browsers answer
			}
			return opened
		}
		if text != "" && text[0] == '0' {
			opened = true
		}
		answer, err := p.heard(text, conn)
		if err != nil {
			return opened
		}
		_ = l.a.SetReadDeadline(time.Now().Add(pingInterval + pingTimeout))
		if answer != "" {
			if _, err := l.a.Write(writeFrame(answer)); err != nil {
				return opened
			}
		}
	}
}

var errEnded = errors.New("ended by the server")

func (p *page) heard(text string, conn int) (answer string, err error) {
	switch {
	case text == "2":
		return "3", nil
	case strings.HasPrefix(text, "0"):
		auth := map[string]string{"token": string(p.user)}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.modern && p.pid != "" {
			auth["pid"], auth["offset"] = p.pid, p.offset
			if p.offset == "" {
				delete(auth, "offset")
			}
		}
		b, _ := json.Marshal(auth)
		return "40" + string(b), nil
	case strings.HasPrefix(text, "40"):
		var hello struct{ SID, PID string }
		_ = json.Unmarshal([]byte(text[2:]), &hello)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.connected = true
		p.came = append(p.came, time.Now())
		p.begins()
		p.pid = hello.PID
		return "", nil
	case strings.HasPrefix(text, "42"):
		p.event(text[2:], conn)
		return "", nil
	case strings.HasPrefix(text, "44"):
		p.mu.Lock()
		defer p.mu.Unlock()
		p.refused = text
		return "", errEnded
	case strings.HasPrefix(text, "41"), strings.HasPrefix(text, "1"):
		return "", errEnded
	}
	return "", nil
}

// event reads ours by what they look like: that is most of what a history costs.
func (p *page) event(text string, conn int) {
	name, args, ok := strings.Cut(strings.TrimPrefix(text, `["`), `",`)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if last, ok := strings.CutSuffix(args, `"]`); ok && p.pid != "" {
		p.offset = last[strings.LastIndexByte(last, '"')+1:]
	}
	switch name {
	case "new_message":
		p.got = append(p.got, receipt{id: models.MessageID(member(args, "_id")), conn: conn, at: time.Now()})
	case "user_online", "user_offline":
		p.told = append(p.told, announcement{user: models.UserID(member(args, "userId")), online: name == "user_online", at: time.Now()})
	}
}

// member is a text of an object that has only simple ones.
func member(object, name string) string {
	_, rest, _ := strings.Cut(object, `"`+name+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// reset breaks the page's connection for both sides at once.
func (p *page) reset() {
	if l := p.current(); l != nil {
		p.unknowable()
		l.cut()
	}
}

// isOn says whether the page's last connection leads to the pod.
func (p *page) isOn(at *pod) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.on[p.conns] == at
}

// unknowable notes that what was under way just now may or may not have arrived.
func (p *page) unknowable() {
	p.mu.Lock()
	p.broke = append(p.broke, time.Now())
	p.mu.Unlock()
	p.doubt()
}

// doubt notes that of what came up to now others may know less than its pod.
func (p *page) doubt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended == nil {
		p.ended = map[int]time.Time{}
	}
	if _, already := p.ended[p.conns]; !already {
		p.ended[p.conns] = time.Now()
	}
}

// vanish breaks it for neither: nothing arrives any more, and nobody is told.
func (p *page) vanish() {
	if l := p.current(); l != nil {
		p.unknowable()
		p.mu.Lock()
		p.ends()
		p.mu.Unlock()
		l.hold(true)
	}
}

// stall has it read nothing for a while.
func (p *page) stall(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.stalled = append(p.stalled, outage{now, now.Add(d)})
	if p.link == nil {
		return
	}
	p.link.open(narrow)
	if d > pingTimeout/2 { // it may be taken for dead
		p.ends()
	}
}

// rest waits until the page reads again.
func (p *page) rest(ctx context.Context, l *link) {
	left := func() time.Duration {
		p.mu.Lock()
		defer p.mu.Unlock()
		var until time.Time
		for _, s := range p.stalled {
			if s.to.After(until) {
				until = s.to
			}
		}
		return time.Until(until)
	}
	rested := false
	for d := left(); d > 0 && ctx.Err() == nil; d = left() {
		rested = true
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	if rested {
		l.open(wide)
		p.mu.Lock()
		if last := len(p.stays) - 1; p.connected && !p.stays[last].to.IsZero() {
			p.begins()
		}
		p.mu.Unlock()
		_ = l.a.SetReadDeadline(time.Now().Add(pingInterval + pingTimeout))
	}
}

func (p *page) current() *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.link
}

func readFrame(r *bufio.Reader) (string, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", err
	}
	n := int(head[1])
	switch n {
	case 126:
		var b [2]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return "", err
		}
		n = int(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return "", err
		}
		n = int(binary.BigEndian.Uint64(b[:]))
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		return "", err
	}
	if head[0]&0x0f == 8 {
		return "", errEnded
	}
	return string(payload), nil
}

func writeFrame(text string) []byte {
	out := []byte{0x81}
	if n := len(text); n < 126 {
		out = append(out, 0x80|byte(n))
	} else {
		out = append(out, 0x80|126, byte(n>>8), byte(n))
	}
	return append(append(out, 0, 0, 0, 0), text...)
}
