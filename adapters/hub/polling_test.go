package hub

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"parley/adapters/engineio"
	"parley/models"
)

type poller struct {
	t   testing.TB
	url string
	sid string
}

func (p *pod) poller() *poller {
	p.t.Helper()
	url := p.http.URL + "/socket.io/?EIO=4&transport=polling"
	body, err := fetch(http.MethodGet, url, "")
	if err != nil {
		p.t.Fatal(err)
	}
	sid := between(body, `"sid":"`, `"`)
	return &poller{t: p.t, url: url + "&sid=" + sid, sid: sid}
}

func (q *poller) post(body string) string {
	q.t.Helper()
	ok, err := fetch(http.MethodPost, q.url, body)
	if err != nil {
		q.t.Fatal(err)
	}
	return ok
}

func (q *poller) poll() string {
	q.t.Helper()
	for {
		body, err := fetch(http.MethodGet, q.url, "")
		if err != nil {
			q.t.Fatal(err)
		}
		if body != "2" {
			return body
		}
		q.post("3")
	}
}

func (q *poller) connect() {
	q.t.Helper()
	if got := q.post(`40{"token":"u"}`); got != "ok" {
		q.t.Fatalf("post answered %q", got)
	}
	if got := q.poll(); !strings.HasPrefix(got, "40{") {
		q.t.Fatalf("connect answered %q", got)
	}
}

// start polls in the background.
func (q *poller) start() chan string {
	answer := make(chan string, 1)
	go func() {
		body, err := fetch(http.MethodGet, q.url, "")
		if err != nil {
			body = err.Error()
		}
		answer <- body
	}()
	return answer
}

// session is the engine's of that id; nil once it has ended.
func (p *pod) session(sid string) *engineio.Session {
	for _, session := range p.s.io.Sessions() {
		if session.ID() == sid {
			return session
		}
	}
	return nil
}

func (p *pod) polled(q *poller) func() bool {
	return func() bool { return p.session(q.sid).Writable() }
}

func slowPings(o *Options) { o.PingInterval, o.PingTimeout = 30*time.Second, 30*time.Second }

func TestPolling(t *testing.T) {
	t.Parallel()
	p := newPod(t, slowPings, chat).start()
	q := p.poller()
	q.connect()
	for i := range 3 {
		p.s.Emit(toChat(chat), msg(chat, i+1, fmt.Sprint(i)))
	}
	var got strings.Builder
	for strings.Count(got.String(), "new_message") < 3 {
		got.WriteString(q.poll() + "\x1e")
	}
	if a, b := strings.Index(got.String(), `"0"`), strings.Index(got.String(), `"2"`); a < 0 || b < a {
		t.Errorf("got %q", got.String())
	}
	q.post("1")
	eventually(t, "departure", func() bool { return len(p.departures()) == 1 })
	if d := p.departures()[0]; d.Reason != "transport close" {
		t.Errorf("departure %+v", d)
	}
}

// What a poll took counts as sent once the client polls again.
func TestPollingUnconfirmedIsNotSeen(t *testing.T) {
	t.Parallel()
	p := newPod(t, slowPings, chat).start()
	q := p.poller()
	q.connect()
	first := q.start()
	eventually(t, "poll", p.polled(q))
	p.s.Emit(toChat(chat), msg(chat, 1, "one"))
	<-first
	second := q.start()
	eventually(t, "poll", p.polled(q))
	p.s.Emit(toChat(chat), msg(chat, 2, "two"))
	<-second
	p.session(q.sid).Abort(cutReplaced)
	eventually(t, "departure", func() bool { return len(p.departures()) == 1 })
	d := p.departures()[0]
	if len(d.Seen) != 1 || d.Seen[0] != msg(chat, 1, "").Message.ID {
		t.Errorf("seen %v", d.Seen)
	}
	if len(d.Sent) != 2 || d.Unread != 1 {
		t.Errorf("sent %v, unread the last %d", d.Sent, d.Unread)
	}
}

// What is sent to a connection that is being sent off, and takes nothing any
// more, was not seen; nor was a backlog.
func TestWhatAClosingConnectionTakesNoMore(t *testing.T) {
	t.Parallel()
	p := newPod(t, slowPings, chat).start()
	q := p.poller()
	q.connect()
	p.s.Emit(toChat(chat), msg(chat, 1, "one"))
	q.poll()
	first := q.start() // says that it has that
	eventually(t, "poll", p.polled(q))
	p.s.Emit(toChat(chat), msg(chat, 2, "two"))
	<-first
	p.session(q.sid).CloseFor(cutShuttingDown)
	p.s.Emit(toChat(chat), msg(chat, 3, "three"))
	eventually(t, "departure", func() bool { return len(p.departures()) == 1 })
	d := p.departures()[0]
	if len(d.Seen) != 1 || d.Seen[0] != msg(chat, 1, "").Message.ID {
		t.Errorf("seen %v", d.Seen)
	}
}

func TestABacklogThatIsNotTaken(t *testing.T) {
	t.Parallel()
	p := newPod(t, func(o *Options) { slowPings(o); o.MaxBacklogBytes = 100 }, chat)
	old := msg(chat, 1, "old")
	old.Message.CreatedAt = time.Now().Add(-time.Hour)
	p.s.OnConnect(func(_ context.Context, d *Door) (Welcome, error) {
		d.Identify("u")
		d.Enter([]models.ChatID{chat})
		for _, session := range p.s.io.Sessions() {
			session.CloseFor(cutShuttingDown) // amid it all
		}
		return Welcome{UserID: "u", Backlog: []models.Event{old}}, nil
	})
	p.start()
	q := p.poller()
	_, _ = fetch(http.MethodPost, q.url, `40{"token":"u"}`)
	eventually(t, "departure", func() bool { return len(p.departures()) == 1 })
	if d := p.departures()[0]; len(d.Seen) != 0 || d.At.After(old.Message.CreatedAt) {
		t.Errorf("seen %v, listening until %v", d.Seen, d.At)
	}
}

func TestDuplicatePoll(t *testing.T) {
	t.Parallel()
	p := newPod(t, slowPings, chat).start()
	q := p.poller()
	q.connect()
	first := q.start()
	eventually(t, "poll", p.polled(q))
	if code, _ := get(t, q.url); code != http.StatusBadRequest {
		t.Errorf("second poll: %d", code)
	}
	if got := <-first; got != "1" {
		t.Errorf("first poll: %q", got)
	}
	if code, _ := get(t, q.url); code != http.StatusBadRequest {
		t.Errorf("after: %d", code)
	}
	eventually(t, "departure", func() bool { return len(p.departures()) == 1 })
}

func TestBadPayloads(t *testing.T) {
	t.Parallel()
	p := newPod(t, func(o *Options) { slowPings(o); o.MaxPayload = 1000 }, chat).start()
	for _, tc := range []struct {
		name, body string
		code       int
		alive      bool
	}{
		{"letters", "abc", 400, false},
		{"empty", "", 400, false},
		{"empty packet", "40\x1e", 400, false},
		{"unknown type", "40{\"token\":\"u\"}\x1e7", 400, false},
		{"too large", "4" + strings.Repeat("x", 1000), 413, true},
		{"fits", `40{"token":"u"}`, 200, true},
	} {
		for _, chunked := range []bool{false, true} {
			q := p.poller()
			req, _ := http.NewRequest(http.MethodPost, q.url, strings.NewReader(tc.body))
			if chunked {
				req.ContentLength = -1
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != tc.code {
				t.Errorf("%s: %d", tc.name, res.StatusCode)
			}
			if tc.alive {
				if p.session(q.sid) == nil {
					t.Errorf("%s: it is gone", tc.name)
				}
				continue
			}
			eventually(t, tc.name+": the end", func() bool { return p.session(q.sid) == nil })
		}
	}
}

func (q *poller) probe() *websocket.Conn {
	q.t.Helper()
	url := "ws" + strings.TrimPrefix(strings.Replace(q.url, "polling", "websocket", 1), "http")
	conn, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		q.t.Fatal(err)
	}
	if err := conn.WriteMessage(websocket.TextMessage, []byte("2probe")); err != nil {
		q.t.Fatal(err)
	}
	_, b, err := conn.ReadMessage()
	if err != nil || string(b) != "3probe" {
		q.t.Fatalf("probe answered %q %v", b, err)
	}
	return conn
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	p := newPod(t, slowPings, chat).start()
	q := p.poller()
	q.connect()
	conn := q.probe()
	defer conn.Close()
	if got := q.poll(); got != "6" { // a poll during the probe is let go
		t.Errorf("poll during the probe: %q", got)
	}
	p.s.Emit(toChat(chat), msg(chat, 1, "between"))
	if err := conn.WriteMessage(websocket.TextMessage, []byte("5")); err != nil {
		t.Fatal(err)
	}
	p.s.Emit(toChat(chat), msg(chat, 2, "after"))
	c := &client{t: t, conn: conn}
	if a, b := c.message(), c.message(); a != "between" || b != "after" {
		t.Errorf("got %q, %q", a, b)
	}
	if code, _ := get(t, q.url); code != http.StatusBadRequest {
		t.Errorf("poll after the upgrade: %d", code)
	}
	session := p.session(q.sid)
	eventually(t, "the books balance", func() bool { return session.Buffered() == 0 })
}

func TestPollWhileUpgrading(t *testing.T) {
	t.Parallel()
	p := newPod(t, slowPings, chat).start()
	q := p.poller()
	q.connect()
	conn := q.probe()
	defer conn.Close()
	pending := q.start()
	if err := conn.WriteMessage(websocket.TextMessage, []byte("5")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-pending: // "6" from the probe, or 400: not left hanging
	case <-time.After(patience):
		t.Fatal("the poll hangs")
	}
}

// An upgrade in the middle of a stream of broadcasts loses and repeats nothing.
func TestUpgradeUnderLoad(t *testing.T) {
	t.Parallel()
	p := newPod(t, slowPings, chat).start()
	const n = 400
	for round := range 5 {
		room := models.ChatID(fmt.Sprintf("%024x", 1000+round))
		q := p.poller()
		q.connect()
		if err := p.s.Join(context.Background(), models.Audience{Users: []models.UserID{"u"}}, room); err != nil {
			t.Fatal(err)
		}
		go func() {
			for i := range n {
				p.s.Emit(toChat(room), msg(room, round*n+i+1, fmt.Sprint(i)))
				if i%20 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		}()
		next := 0
		take := func(body string) {
			for f := range strings.SplitSeq(body, "\x1e") {
				if text, ok := textOf(f); ok {
					if text != fmt.Sprint(next) {
						t.Fatalf("round %d: got %s, want %d", round, text, next)
					}
					next++
				}
			}
		}
		take(q.poll())
		conn := q.probe()
		for next < n { // polls until it is told to pause
			body := q.poll()
			take(body)
			if strings.HasSuffix(body, "6") {
				break
			}
			if next > n/2 {
				break
			}
		}
		if err := conn.WriteMessage(websocket.TextMessage, []byte("5")); err != nil {
			t.Fatal(err)
		}
		c := &client{t: t, conn: conn}
		for next < n {
			take(c.next())
		}
		conn.Close()
		eventually(t, "gone", func() bool { return p.s.Sockets() == 0 })
	}
}

// Who pings and never polls lets the answers pile up.
func TestPongsNobodyTakes(t *testing.T) {
	t.Parallel()
	const most = 50
	p := newPod(t, func(o *Options) { o.AllowEIO3, o.MaxBacklogBytes = true, most*64+100 }, chat).start()
	body, err := fetch(http.MethodGet, p.http.URL+"/socket.io/?EIO=3&transport=polling", "")
	if err != nil {
		t.Fatal(err)
	}
	q := &poller{t: t, url: p.http.URL + "/socket.io/?EIO=3&transport=polling&sid=" + between(body, `"sid":"`, `"`)}
	cut := func() bool { return p.counts.get(func() int { return p.counts.cut[cutSlowClient] }) == 1 }
	q.post(strings.Repeat("1:2", most/2))
	if got := strings.Count(q.poll(), "1:3"); got != most/2 { // beside the answer to CONNECT
		t.Errorf("%d pongs", got)
	}
	// They count as taken once the next poll comes.
	q.post(strings.Repeat("1:2", most/2))
	if got := strings.Count(q.poll(), "1:3"); got != most/2 {
		t.Errorf("%d more pongs", got)
	}
	q.post(strings.Repeat("1:2", most/2))
	if cut() {
		t.Error("cut although what was polled was taken")
	}
	_, _ = fetch(http.MethodPost, q.url, strings.Repeat("1:2", most))
	eventually(t, "the end", cut)
}
