package engineio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// wire is a WebSocket with bare hands.
type wire struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

// wire opens one; ahead follows the request in the same write.
func (g *rig) wire(query string, ahead ...byte) *wire {
	g.t.Helper()
	w := g.loose(query, ahead...)
	g.t.Cleanup(func() { w.Close() })
	return w
}

// loose opens one that is closed by nobody.
func (g *rig) loose(query string, ahead ...byte) *wire {
	g.t.Helper()
	c, err := net.Dial("tcp", g.http.Listener.Addr().String())
	if err != nil {
		g.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	request := "GET /engine.io/?" + query + " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	if _, err := c.Write(append([]byte(request), ahead...)); err != nil {
		g.t.Fatal(err)
	}
	w := &wire{g.t, c, bufio.NewReader(c)}
	res, err := http.ReadResponse(w.r, nil)
	if err != nil || res.StatusCode != 101 || res.Header.Get("Sec-Websocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		g.t.Fatalf("%v, %v", res, err)
	}
	return w
}

func (g *rig) openWire() *wire {
	w := g.wire(v4ws)
	w.next(opText)
	return w
}

// masked is a frame as a client sends it; b0 and b1 are added to its first bytes.
func masked(b0 byte, data string) []byte {
	f := newForm(0, "", []byte(data))
	b := bytes.Clone(f.wire[:f.head])
	b[0] = b0
	b[1] |= maskBit
	key := []byte{1, 0xfe, 3, 0x80}
	b = append(b, key...)
	for i := range len(data) {
		b = append(b, data[i]^key[i%4])
	}
	return b
}

const fin = finBit

func (w *wire) send(parts ...[]byte) {
	w.t.Helper()
	if _, err := w.Write(bytes.Join(parts, nil)); err != nil {
		w.t.Fatal(err)
	}
}

// frame reads one as it is.
func (w *wire) frame() (b0 byte, data string) {
	w.t.Helper()
	head := make([]byte, 2)
	if _, err := io.ReadFull(w.r, head); err != nil {
		w.t.Fatal(err)
	}
	size := uint64(head[1])
	if long := map[byte]int{126: 2, 127: 8}[head[1]]; long > 0 {
		b := make([]byte, 8)
		if _, err := io.ReadFull(w.r, b[8-long:]); err != nil {
			w.t.Fatal(err)
		}
		size = binary.BigEndian.Uint64(b)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(w.r, b); err != nil {
		w.t.Fatal(err)
	}
	return head[0], string(b)
}

// next is the data of the next frame, which is whole and of type op.
func (w *wire) next(op byte) string {
	w.t.Helper()
	b0, data := w.frame()
	if b0 != fin|op {
		w.t.Fatalf("a frame %#x %q, not of type %d", b0, data, op)
	}
	return data
}

func (w *wire) nexts(op byte, want string) {
	w.t.Helper()
	if got := w.next(op); got != want {
		w.t.Fatalf("got %.80q, not %.80q", got, want)
	}
}

// closed says that the server says goodbye with the code and then hangs up; 0 is
// none.
func (w *wire) closed(code uint16) {
	w.t.Helper()
	want := ""
	if code != 0 {
		want = string(binary.BigEndian.AppendUint16(nil, code))
	}
	w.nexts(opClose, want)
	w.send(masked(fin|opClose, want))
	if b, err := io.ReadAll(w.r); err != nil || len(b) > 0 {
		w.t.Fatalf("after the goodbye: %q, %v", b, err)
	}
}

func TestRFC6455(t *testing.T) {
	g := start(t, Options{MaxPayload: 200_000}, handler{message: echoes})
	text := func(s string) []byte { return masked(fin|opText, s) }
	short := func(b ...byte) []byte { return append(b, 0, 0, 0, 0) } // a header as it is, and a key
	for name, c := range map[string]struct {
		send  []byte
		hears string
		code  uint16 // the goodbye, or 0 for none
	}{
		"an unmasked frame":                    {[]byte{fin | opText, 1, '4'}, "", 1002},
		"reserved bit 1":                       {masked(fin|0x40|opText, "4x"), "", 1002},
		"reserved bit 2":                       {masked(fin|0x20|opText, "4x"), "", 1002},
		"reserved bit 3":                       {masked(fin|0x10|opText, "4x"), "", 1002},
		"opcode 3":                             {masked(fin|3, "4x"), "", 1002},
		"opcode 11":                            {masked(fin|11, ""), "", 1002},
		"a continuation of nothing":            {masked(fin|opContinuation, "4x"), "", 1002},
		"a message amid another":               {bytes.Join([][]byte{masked(opText, "4x"), text("4y")}, nil), "", 1002},
		"a continuation after the end":         {bytes.Join([][]byte{masked(opText, "4x"), masked(fin, "y"), masked(fin, "z")}, nil), "4xy", 1002},
		"a ping in fragments":                  {masked(opPing, ""), "", 1002},
		"a ping of 126 bytes":                  {masked(fin|opPing, repeat(126)), "", 1002},
		"a close of one byte":                  {masked(fin|opClose, "x"), "", 1002},
		"close code 1005":                      {masked(fin|opClose, "\x03\xed"), "", 1002},
		"close code 999":                       {masked(fin|opClose, "\x03\xe7"), "", 1002},
		"close code 5000":                      {masked(fin|opClose, "\x13\x88"), "", 1002},
		"a close with text that is not UTF-8":  {masked(fin|opClose, "\x03\xe8\xff"), "", 1007},
		"text that is not UTF-8":               {text("4\xff"), "", 1007},
		"half a surrogate pair":                {text("4\xed\xa0\x80"), "", 1007},
		"fragments that are not UTF-8":         {bytes.Join([][]byte{masked(opText, "4ż"[:2]), masked(fin, "x")}, nil), "", 1007},
		"a length of 2^63":                     {short(fin|opText, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0), "", 1009},
		"a length of 2^40":                     {short(fin|opText, 0xff, 0, 0, 1, 0, 0, 0, 0, 0), "", 1009},
		"a message over the limit":             {text("4" + repeat(200_000))[:20], "", 1009},
		"fragments over the limit":             {append(masked(opText, "4"+repeat(150_000)), masked(fin, repeat(50_000))[:14]...), "", 1009},
		"binary over the limit":                {masked(fin|opBinary, repeat(200_001))[:20], "", 1009},
		"good ones before it":                  {append(text("4a"), []byte{fin | opText, 0}...), "4a", 1002},
		"a message of the limit":               {text("4" + repeat(199_999)), "4" + repeat(199_999), 0},
		"a length spelt longer than it has to": {append([]byte{fin | opText, 0x80 | 126, 0, 2, 0, 0, 0, 0}, "4x"...), "4x", 0},
		"an empty message":                     {text("4"), "4", 0},
		"a character over two fragments":       {bytes.Join([][]byte{masked(opText, "4ż"[:2]), masked(0, ""), masked(fin, "ż"[1:])}, nil), "4ż", 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := g.openWire()
			w.t = t
			w.send(c.send)
			if c.hears != "" {
				w.nexts(opText, c.hears)
			}
			if c.code == 0 {
				w.send(masked(fin|opClose, "\x03\xe8"))
				w.nexts(opClose, "\x03\xe8")
				g.endsWith(TransportClose)
				return
			}
			w.closed(c.code)
			e := g.endsWith(TransportError)
			var broken *CloseError
			if !errors.As(e.err, &broken) || broken.Code != int(c.code) || broken.Text == "" {
				t.Fatal(e.err)
			}
		})
	}
}

func TestTooManyFragments(t *testing.T) {
	g := start(t, Options{}, handler{})
	w := g.openWire()
	w.send(masked(opText, "4"), bytes.Repeat(masked(0, ""), maxFragments))
	w.closed(1008)
	g.endsWith(TransportError)
}

func TestControlFramesBetweenFragments(t *testing.T) {
	g := start(t, Options{}, handler{message: echoes})
	w := g.openWire()
	w.send(masked(opText, "4one "), masked(fin|opPing, "are you there"), masked(fin|opPong, ""), masked(0, "two "), masked(fin|opPing, ""), masked(fin, "three"))
	w.nexts(opPong, "are you there")
	w.nexts(opPong, "")
	w.nexts(opText, "4one two three")
	w.send(masked(fin|opPing, repeat(125)))
	w.nexts(opPong, repeat(125))
}

func TestByteByByte(t *testing.T) {
	g := start(t, Options{}, handler{message: echoes})
	w := g.openWire()
	for _, b := range bytes.Join([][]byte{masked(opText, "4one "), masked(fin|opPing, "x"), masked(fin, "two"), masked(fin|opBinary, repeat(130))}, nil) {
		w.send([]byte{b})
	}
	w.nexts(opPong, "x")
	w.nexts(opText, "4one two")
	w.nexts(opBinary, repeat(130))
}

func TestTheFirstFrameComesWithTheRequest(t *testing.T) {
	g := start(t, Options{}, handler{message: echoes})
	large := "4" + repeat(3500) // as much as net/http may have read
	w := g.wire(v4ws, append(masked(fin|opText, large), masked(fin|opText, "4then")...)...)
	if hello := w.next(opText); hello[0] != '0' {
		t.Fatal(hello)
	}
	w.nexts(opText, large)
	w.nexts(opText, "4then")
	p := g.poll(v4)
	probe := g.wire(v4ws+"&sid="+p.sid, append(masked(fin|opText, "2probe"), append(masked(fin|opText, "5"), masked(fin|opText, "4x")...)...)...)
	probe.nexts(opText, "3probe")
	probe.nexts(opText, "4x")
}

func TestCloseIsAnswered(t *testing.T) {
	g := start(t, Options{}, handler{})
	for said, code := range map[string]int{"": 1005, "\x03\xe8": 1000, "\x03\xe9going": 1001, "\x0b\xb8": 3000} {
		w := g.openWire()
		w.send(masked(fin|opClose, said), masked(fin|opText, "4too late"))
		w.nexts(opClose, said[:min(len(said), 2)])
		if b, err := io.ReadAll(w.r); err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") || len(b) > 0 {
			t.Fatalf("%q, %v", b, err)
		}
		e := g.endsWith(TransportClose)
		var left *CloseError
		if !errors.As(e.err, &left) || left.Code != code {
			t.Fatal(e.err)
		}
	}
}

func TestConnectionLost(t *testing.T) {
	g := start(t, Options{}, handler{})
	w := g.openWire()
	w.send(masked(fin|opText, "4half")[:5])
	w.Close()
	if e := g.endsWith(TransportClose); e.err == nil {
		t.Fatal("not said how")
	}
	w = g.openWire()
	_ = w.Conn.(*net.TCPConn).SetLinger(0)
	w.Close()
	g.endsWith(TransportClose)
}

func TestPacketsOfNoUse(t *testing.T) {
	g := start(t, Options{}, handler{message: echoes})
	w := g.openWire()
	for _, p := range []string{"3", "3probe", "6", "5", "0", "0{}", "1"} { // Node does not look at 1 here
		w.send(masked(fin|opText, p))
	}
	w.send(masked(fin|opText, "4on"))
	w.nexts(opText, "4on")
	for _, p := range []string{"abc", "7", "", "9{}", "\x00"} {
		w := g.openWire()
		w.send(masked(fin|opText, p), masked(fin|opText, "4late"))
		w.closed(0)
		g.endsWith(ParseError)
	}
	w = g.openWire()
	w.send(masked(fin|opText, "2"))
	w.closed(0)
	if e := g.endsWith(TransportError); e.err != errHeartbeat {
		t.Fatal(e.err)
	}
}

func TestCloseWritesWhatIsQueued(t *testing.T) {
	g := start(t, Options{}, handler{message: func(s *Session, data []byte, _ bool) {
		if string(data) == "late" {
			t.Error("a closing session took a message")
		}
		for i := range 20 {
			s.Push(NewFrame(fmt.Append(nil, i), false))
		}
		s.Close()
		s.Close()
	}})
	w := g.openWire()
	w.send(masked(fin|opText, "4go"), masked(fin|opText, "4late"))
	for i := range 20 {
		w.nexts(opText, fmt.Sprint("4", i))
	}
	w.closed(0)
	if e := g.endsWith(ForcedClose); len(e.unsent) > 0 {
		t.Fatal(texts(e.unsent))
	}
}

// A connection closed with something unread is reset; so a client that talks on
// is heard out until it has our goodbye.
func TestGoodbyeToOneThatTalks(t *testing.T) {
	g := start(t, Options{}, handler{message: func(s *Session, _ []byte, _ bool) { s.Close() }})
	w := g.openWire()
	w.send(masked(fin|opText, "4go"), bytes.Repeat(masked(fin|opText, "4"+repeat(1000)), 100))
	w.closed(0)
	g.endsWith(ForcedClose)
}

func TestAbortDropsWhatIsQueued(t *testing.T) {
	g := start(t, Options{}, handler{open: func(s *Session) {
		s.Push(NewFrame([]byte("never"), false), NewFrame([]byte("sent"), false))
		s.Abort("mine")
	}})
	w := g.openWire()
	w.closed(0)
	if e := g.endsWith("mine"); fmt.Sprint(texts(e.unsent)) != "[never sent]" {
		t.Fatal(texts(e.unsent))
	}
}

// A client that does not answer the goodbye, or anything, keeps nothing.
func TestGoodbyeToNobody(t *testing.T) {
	g := start(t, Options{}, handler{})
	w := g.openWire()
	g.session().Abort("mine")
	g.endsWith("mine")
	w.nexts(opClose, "")
	eventually(t, "the connection is closed all the same", func() bool {
		_, err := w.Write(masked(fin|opText, "4x"))
		return err != nil
	})
}

func TestPanicsOfTheHandler(t *testing.T) {
	for _, in := range []string{"Open", "Message", "Close"} {
		boom := func(at string) {
			if at == in {
				panic("boom")
			}
		}
		g := start(t, Options{}, handler{
			open:    func(*Session) { boom("Open") },
			message: func(*Session, []byte, bool) { boom("Message") },
			close:   func(*Session, Reason, error) { boom("Close") },
		})
		w := g.openWire()
		if in != "Open" {
			w.send(masked(fin|opText, "4x"))
		}
		want := HandlerPanic
		if in == "Close" {
			w.Close()
			eventually(t, "the panic is counted", func() bool { return g.tally.of("panic") == 1 })
			if g.tally.of("closed transport close") != 1 {
				t.Fatal("not told why")
			}
			continue
		}
		w.closed(0)
		g.endsWith(want)
		if g.tally.of("panic") != 1 {
			t.Fatal("not counted")
		}
	}
	g := start(t, Options{}, handler{message: func(*Session, []byte, bool) { panic("boom") }})
	p := g.poll(v4)
	p.say("4x\x1e4y")
	g.endsWith(HandlerPanic)
	p.gone()
}
