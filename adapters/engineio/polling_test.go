package engineio

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestPollingMessages(t *testing.T) {
	g := start(t, Options{}, handler{message: echoes})
	p := g.poll(v4)
	res := p.request("POST", p.query, "4one")
	if res.status != 200 || res.body != "ok" || res.header.Get("Content-Type") != "text/html" || res.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%+v", res)
	}
	p.gets(200, "4one")
	p.say("4one\x1ebAQIDBA==\x1e4\x1e4żółw 🐢")
	p.gets(200, "4one\x1ebAQIDBA==\x1e4\x1e4żółw 🐢")
	wait := p.getting()
	p.say("4now")
	if res := receive(t, wait, "answer"); res.body != "4now" {
		t.Fatalf("%+v", res)
	}
	p.say("3\x1e6\x1e5\x1e0{}\x1e3probe") // out of turn, and of no consequence
	p.say("4still")
	p.gets(200, "4still")
}

func TestPollingTextThatIsNotUTF8(t *testing.T) {
	g := start(t, Options{}, handler{message: echoes})
	p := g.poll(v4)
	p.say("4a\xff\xfeb") // as Node's decoder has it
	p.gets(200, "4a\ufffd\ufffdb")
}

func TestBase64AsNodeReadsIt(t *testing.T) {
	for in, want := range map[string]string{
		"AQIDBA==": "\x01\x02\x03\x04", "AQIDBA": "\x01\x02\x03\x04", "-_8=": "\xfb\xff", "+/8": "\xfb\xff", "": "", "A": "", "AQ": "\x01", "A Q\n*I=DBA": "\x01\x02",
		"AQ==AQ==": "\x01",
	} {
		if got := string(decodeBase64([]byte(in))); got != want {
			t.Errorf("%q is %q, not %q", in, got, want)
		}
	}
}

func TestBadPayloads(t *testing.T) {
	for name, body := range map[string]string{"no packet": "abc", "nothing": "", "an unknown type": "7", "good and bad": "4good\x1eabc", "good and nothing": "4good\x1e"} {
		t.Run(name, func(t *testing.T) {
			g := start(t, Options{}, handler{message: func(*Session, []byte, bool) { t.Error("part of it was taken") }})
			p := g.poll(v4)
			if res := p.request("POST", p.query, body); res.status != 400 || res.body != "" {
				t.Fatalf("%+v", res)
			}
			g.endsWith(ParseError)
			p.gone()
		})
	}
}

func TestPollingHeartbeatOfTheWrongSide(t *testing.T) {
	g := start(t, Options{}, handler{})
	p := g.poll(v4)
	p.request("POST", p.query, "2")
	g.endsWith(TransportError)
	p.gone()
}

func TestOctetsAreRefused(t *testing.T) {
	g := start(t, Options{}, handler{})
	p := g.poll(v4)
	if res := p.request("POST", p.query, "\x01\x02", "Content-Type", "application/octet-stream"); res.status != 400 || res.body != "" {
		t.Fatalf("%+v", res)
	}
	g.endsWith(TransportError)
	p.gone()
}

func TestSecondPoll(t *testing.T) {
	g := start(t, Options{}, handler{})
	p := g.poll(v4)
	first := p.getting()
	p.gets(400, "")
	if res := receive(t, first, "answer"); res.status != 200 || res.body != "1" {
		t.Fatalf("%+v", res)
	}
	if e := g.endsWith(TransportError); e.err != errPollOverlap {
		t.Fatal(e.err)
	}
	p.gone()
}

// halfPost is a POST whose body the server awaits.
func (p *poller) halfPost() *bufio.Reader {
	p.t.Helper()
	r, _ := p.halfPostOn()
	return r
}

func (p *poller) halfPostOn() (*bufio.Reader, net.Conn) {
	p.t.Helper()
	c, err := net.Dial("tcp", p.http.Listener.Addr().String())
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(c, "POST /engine.io/?%s HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n4hal", p.query)
	eventually(p.t, "the body is awaited", func() bool {
		p.session.mu.Lock()
		defer p.session.mu.Unlock()
		return p.session.poll != nil && p.session.poll.posting != nil
	})
	return bufio.NewReader(c), c
}

// isCut says that a connection ended without a word.
func isCut(t testing.TB, r io.Reader) {
	t.Helper()
	if b, err := io.ReadAll(r); len(b) > 0 || isTimeout(err) {
		t.Fatalf("it was answered %q, %v", b, err)
	}
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}

func TestSecondPost(t *testing.T) {
	g := start(t, Options{}, handler{})
	p := g.poll(v4)
	first := p.halfPost()
	if res := p.request("POST", p.query, "4x"); res.status != 400 || res.body != "" {
		t.Fatalf("%+v", res)
	}
	isCut(t, first)
	g.endsWith(TransportError)
	p.gone()
}

func TestAnEndCutsThePostOnItsWay(t *testing.T) {
	g := start(t, Options{}, handler{})
	p := g.poll(v4)
	first := p.halfPost()
	p.session.Abort("mine")
	isCut(t, first)
	g.endsWith("mine")
}

func TestPostGivenUp(t *testing.T) {
	g := start(t, Options{}, handler{})
	p := g.poll(v4)
	_, c := p.halfPostOn()
	_ = c.Close()
	if e := g.endsWith(TransportError); e.err != errPostGone {
		t.Fatal(e.err)
	}
}

func TestSlowBody(t *testing.T) {
	g := start(t, Options{IOTimeout: 50 * time.Millisecond}, handler{})
	p := g.poll(v4)
	p.halfPost()
	g.endsWith(TransportError)
}

func TestSizesOfBodies(t *testing.T) {
	g := start(t, Options{MaxPayload: 1000}, handler{message: echoes})
	p := g.poll(v4)
	p.say("4" + repeat(999))
	p.gets(200, "4"+repeat(999))
	for name, body := range map[string]io.Reader{
		"told": strings.NewReader("4" + repeat(1000)), "not told": io.MultiReader(strings.NewReader("4"), strings.NewReader(repeat(70_000))),
	} {
		if res := g.ask(t.Context(), "POST", p.query, body); res.status != 413 || res.body != "" {
			t.Fatalf("%s: %+v", name, res)
		}
	}
	p.say("4on")
	p.gets(200, "4on")
}

func TestPollGivenUp(t *testing.T) {
	g := start(t, Options{}, handler{})
	p := g.poll(v4)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan answer, 1)
	go func() { done <- g.ask(ctx, "GET", p.query, nil) }()
	p.waits()
	p.session.mu.Lock() // nothing comes in between
	cancel()
	<-done
	p.session.mu.Unlock()
	if e := g.endsWith(TransportError); e.err != errPollGone {
		t.Fatal(e.err)
	}
	p.gone()
}

func TestCloseByTheClient(t *testing.T) {
	g := start(t, Options{}, handler{message: func(*Session, []byte, bool) { t.Error("something after the end was taken") }})
	p := g.poll(v4)
	wait := p.getting()
	p.say("1\x1e4late")
	if res := receive(t, wait, "answer"); res.status != 200 || res.body != "6" {
		t.Fatalf("%+v", res)
	}
	g.endsWith(TransportClose)
	p.gone()

	p = g.poll(v4)
	p.say("1") // with no poll
	g.endsWith(TransportClose)
	p.gone()
}

// Sent along with a poll, as the official suite does, it may be read first.
func TestCloseByTheClientWithAPollOnItsWay(t *testing.T) {
	g := start(t, Options{}, handler{})
	p := g.poll(v4)
	done := make(chan answer, 1)
	go func() { done <- p.request("POST", p.query, "1") }()
	eventually(t, "the close is taken", func() bool {
		p.session.mu.Lock()
		defer p.session.mu.Unlock()
		return p.session.poll == nil || p.session.poll.leaving != nil
	})
	p.gets(200, "6")
	if res := receive(t, done, "answer"); res.body != "ok" {
		t.Fatalf("%+v", res)
	}
}

func TestOtherMethods(t *testing.T) {
	g := start(t, Options{}, handler{})
	p := g.poll(v4)
	if res := p.request("PUT", p.query, "3"); res.status != 400 || res.body != "" {
		t.Fatalf("%+v", res)
	}
}

func TestOrderlyClose(t *testing.T) {
	g := start(t, Options{}, handler{message: func(*Session, []byte, bool) { t.Error("a session that closes took a message") }})
	p := g.poll(v4)
	p.session.Push(NewFrame([]byte("last"), false))
	p.session.Close()
	if p.session.Push(NewFrame(nil, false)) {
		t.Fatal("a closing session took a frame")
	}
	p.say("4ignored")
	p.gets(200, "4last")
	p.gets(200, "1") // in an answer of its own
	g.endsWith(ForcedClose)
	p.gone()

	p = g.poll(v4)
	wait := p.getting()
	p.session.Close()
	if res := receive(t, wait, "answer"); res.body != "1" {
		t.Fatalf("%+v", res)
	}
	g.endsWith(ForcedClose)
}

func TestOrderlyCloseNobodyPollsFor(t *testing.T) {
	g := start(t, Options{CloseTimeout: 50 * time.Millisecond}, handler{})
	p := g.poll(v4)
	p.session.Push(NewFrame([]byte("last"), false))
	p.session.Close()
	if e := g.endsWith(ForcedClose); fmt.Sprint(texts(e.unsent)) != "[last]" {
		t.Fatal(texts(e.unsent))
	}
}

func TestAbortAnswersThePoll(t *testing.T) {
	g := start(t, Options{}, handler{})
	p := g.poll(v4)
	wait := p.getting()
	p.session.Abort("mine")
	if res := receive(t, wait, "answer"); res.body != "1" {
		t.Fatalf("%+v", res)
	}
	g.endsWith("mine")
	p.session.Abort("again")
	if p.session.Push(NewFrame(nil, false)) || p.session.Writable() || p.session.Ping() && g.tally.of("closed mine") != 1 {
		t.Fatal("an ended session goes on")
	}
}

func TestCompression(t *testing.T) {
	g := start(t, Options{}, handler{message: echoes})
	p := g.poll(v4)
	for _, c := range []struct {
		size   int
		accept string
		packed bool
	}{{1023, "gzip", true}, {1022, "gzip", false}, {5000, "", false}, {5000, "deflate, gzip", true}} {
		p.say("4" + repeat(c.size))
		res := p.request("GET", p.query, "", "Accept-Encoding", c.accept)
		if packed := res.header.Get("Content-Encoding") == "gzip"; packed != c.packed {
			t.Fatalf("%+v: %+v", c, res.header)
		}
		body := io.Reader(strings.NewReader(res.body))
		if c.packed {
			var err error
			if body, err = gzip.NewReader(body); err != nil {
				t.Fatal(err)
			}
		}
		if b, err := io.ReadAll(body); err != nil || string(b) != "4"+repeat(c.size) {
			t.Fatalf("%+v: %d bytes, %v", c, len(b), err)
		}
	}
}

// What a poll was answered with is known to have arrived when the next one comes.
func TestUnsentByPolling(t *testing.T) {
	g := start(t, Options{}, handler{})
	p := g.poll(v4)
	push := func(text string) { p.session.Push(NewFrame([]byte(text), false)) }
	push("a")
	push("b")
	p.gets(200, "4a\x1e4b")
	if p.session.Buffered() != 2 {
		t.Fatal(p.session.Buffered())
	}
	push("c")
	p.gets(200, "4c")
	if p.session.Buffered() != 1 {
		t.Fatal(p.session.Buffered())
	}
	push("d")
	if got := p.session.Unsent(); got != nil {
		t.Fatal("told before the end:", texts(got))
	}
	p.session.Abort("mine")
	if e := g.end(); fmt.Sprint(texts(e.unsent)) != "[c d]" {
		t.Fatal(texts(e.unsent))
	}
	if got := p.session.Unsent(); got != nil {
		t.Fatal("told twice:", texts(got))
	}
}

func TestBacklogOfAPoller(t *testing.T) {
	g := start(t, Options{MaxBacklog: 100}, handler{})
	p := g.poll(v4)
	p.session.Grant(50)
	if !p.session.Push(NewFrame(bytes.Repeat([]byte("x"), 150), false)) {
		t.Fatal("what was granted is not taken")
	}
	if p.session.Push(NewFrame([]byte("a"), false), NewFrame([]byte("b"), false)) {
		t.Fatal("more is taken")
	}
	if e := g.endsWith(SlowClient); len(e.unsent) != 1 {
		t.Fatal(texts(e.unsent))
	}
	p = g.poll(v4)
	p.session.Grant(50)
	for range 3 { // what was granted is used up
		p.session.Push(NewFrame(bytes.Repeat([]byte("x"), 80), false))
		p.get()
	}
	if p.session.Push(NewFrame(bytes.Repeat([]byte("x"), 101), false)) {
		t.Fatal("more is taken")
	}
}

func TestWritableByPolling(t *testing.T) {
	g := start(t, Options{}, handler{})
	p := g.poll(v4)
	if p.session.Writable() {
		t.Fatal("writable without a poll")
	}
	wait := p.getting()
	if !p.session.Writable() {
		t.Fatal("not writable with a poll")
	}
	p.session.Push(NewFrame([]byte("x"), false))
	p.session.Flush()
	<-wait
}
