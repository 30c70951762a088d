package engineio

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func (p *poller) probed() *websocket.Conn {
	p.t.Helper()
	c := p.dialOnly(v4ws + "&sid=" + p.sid)
	says(p.t, c, "2probe")
	hears(p.t, c, "3probe")
	return c
}

func (p *poller) upgraded() *websocket.Conn {
	p.t.Helper()
	c := p.probed()
	says(p.t, c, "5")
	says(p.t, c, "4sync")
	hears(p.t, c, "4sync")
	return c
}

func TestUpgrade(t *testing.T) {
	g := start(t, Options{}, handler{message: echoes})
	p := g.poll(v4)
	wait := p.getting()
	c := p.probed()
	if res := receive(t, wait, "answer"); res.status != 200 || res.body != "6" {
		t.Fatalf("%+v", res)
	}
	p.gets(200, "6") // one that comes after the probe
	p.say("4posted")
	p.gets(200, "4posted")
	p.say("4waiting")
	says(t, c, "5")
	hears(t, c, "4waiting")
	if p.session.Transport() != WebSocket || g.tally.of("upgraded") != 1 {
		t.Fatal("not upgraded")
	}
	mismatch := `{"code":3,"message":"Bad request"}`
	p.gets(400, mismatch)
	if res := p.request("POST", p.query, "3"); res.status != 400 || res.body != mismatch {
		t.Fatalf("%+v", res)
	}
	says(t, c, "4on")
	hears(t, c, "4on")
	c.Close()
	g.endsWith(TransportClose)
	p.gone()
}

func TestUpgradeAtOnce(t *testing.T) {
	g := start(t, Options{}, handler{message: echoes})
	p := g.poll(v4)
	c := g.dialOnly(v4ws + "&sid=" + p.sid)
	for _, text := range []string{"2probe", "5", "4x"} {
		says(t, c, text)
	}
	hears(t, c, "3probe")
	hears(t, c, "4x")
}

func TestPollsAtTheSwitch(t *testing.T) {
	g := start(t, Options{}, handler{message: echoes})
	g.engine.pollAmidProbe = time.Minute
	p := g.poll(v4)
	c := p.probed()
	wait := p.getting()
	half := p.halfPost()
	says(t, c, "5")
	if res := receive(t, wait, "answer"); res.status != 400 || res.body != "" {
		t.Fatalf("%+v", res)
	}
	isCut(t, half)
	says(t, c, "4on")
	hears(t, c, "4on")
}

func TestSecondWebSocket(t *testing.T) {
	g := start(t, Options{}, handler{message: echoes})
	p := g.poll(v4)
	c := p.probed()
	closes(t, g.dialOnly(v4ws+"&sid="+p.sid), websocket.CloseNoStatusReceived)
	says(t, c, "5")
	says(t, c, "4on")
	hears(t, c, "4on")
	closes(t, g.dialOnly(v4ws+"&sid="+p.sid), websocket.CloseNoStatusReceived)
	own, s := g.dial(v4ws)
	closes(t, g.dialOnly(v4ws+"&sid="+s.ID()), websocket.CloseNoStatusReceived)
	for _, c := range []*websocket.Conn{c, own} {
		says(t, c, "4still")
		hears(t, c, "4still")
	}
	if g.tally.of(string(UpgradeRefused)) != 3 {
		t.Fatal("not counted")
	}
}

func TestBadProbes(t *testing.T) {
	g := start(t, Options{}, handler{message: func(*Session, []byte, bool) { t.Error("a probe's message was taken") }})
	p := g.poll(v4)
	for i, text := range []string{"4hello", "3probe", "2", "abc", "1", "0"} {
		c := g.dialOnly(v4ws + "&sid=" + p.sid)
		says(t, c, text)
		closes(t, c, websocket.CloseNoStatusReceived)
		p.session.Push(NewFrame([]byte(text), false))
		p.gets(200, "4"+text)
		eventually(t, "it is counted", func() bool { return g.tally.of(string(UpgradeInvalid)) == i+1 })
	}
	w := g.wire(v4ws + "&sid=" + p.sid)
	w.send([]byte{fin | opText, 0})
	w.closed(1002)
	p.probed() // it can be tried again
}

func TestUpgradeAbandoned(t *testing.T) {
	g := start(t, Options{}, handler{message: echoes})
	p := g.poll(v4)
	for i, leave := range []func(*wire){
		func(w *wire) { w.Close() },
		func(w *wire) { w.send(masked(fin|opClose, "")); w.nexts(opClose, "") },
	} {
		w := g.wire(v4ws + "&sid=" + p.sid)
		w.send(masked(fin|opText, "2probe"), masked(fin|opPing, "x"))
		w.nexts(opText, "3probe")
		w.nexts(opPong, "x")
		leave(w)
		eventually(t, "it is counted", func() bool { return g.tally.of(string(UpgradeAbandoned)) == i+1 })
	}
	p.say("4on")
	p.gets(200, "4on")
	p.upgraded()
}

func TestUpgradeWithoutAWord(t *testing.T) {
	g := start(t, Options{UpgradeTimeout: 50 * time.Millisecond}, handler{message: echoes})
	p := g.poll(v4)
	closes(t, g.dialOnly(v4ws+"&sid="+p.sid), websocket.CloseNoStatusReceived)
	closes(t, p.probed(), websocket.CloseNoStatusReceived)
	eventually(t, "both are counted", func() bool { return g.tally.of(string(UpgradeTimeout)) == 2 })
	p.say("4on")
	p.gets(200, "4on")
}

func TestTheSessionEndsDuringTheProbe(t *testing.T) {
	g := start(t, Options{}, handler{message: echoes})
	p := g.poll(v4)
	c := p.probed()
	p.session.Abort("mine")
	closes(t, c, websocket.CloseNoStatusReceived)
	g.endsWith("mine")

	eventually(t, "it is counted", func() bool { return g.tally.of(string(UpgradeAbandoned)) == 1 })
	if _, res, err := websocket.DefaultDialer.Dial(g.ws(v4ws+"&sid="+p.sid), nil); err == nil || res.StatusCode != 400 {
		t.Fatal(res, err)
	}
}

func TestUpgradeOfAClosingSession(t *testing.T) {
	g := start(t, Options{}, handler{})
	p := g.poll(v4)
	p.session.Push(NewFrame([]byte("last"), false))
	p.session.Close()
	c := p.probed()
	says(t, c, "5")
	hears(t, c, "4last")
	closes(t, c, websocket.CloseNoStatusReceived)
	g.endsWith(ForcedClose)
}

// While frames are pushed in pairs and pings come between, nothing is lost,
// doubled, torn apart or out of order, whatever the moment of the upgrade.
func TestUpgradeUnderTraffic(t *testing.T) {
	g := start(t, Options{PingInterval: 2 * time.Millisecond, PingTimeout: time.Minute}, handler{})
	for round := range 8 {
		p := g.poll(v4)
		const pairs = 300
		var pushing sync.WaitGroup
		pushing.Go(func() {
			for i := range pairs {
				p.session.Push(NewFrame(fmt.Append(nil, i), false), NewFrame(fmt.Append(nil, i), true))
				p.session.Flush()
				if i%10 == 0 {
					time.Sleep(100 * time.Microsecond)
				}
			}
		})
		var got []string
		take := func(packets ...string) {
			for _, packet := range packets {
				switch {
				case packet == "2": // amid a pair, it would be one that was torn apart
					if len(got)%2 == 1 {
						t.Fatal("a pair was torn apart")
					}
				case packet != "6" && packet != "3probe":
					got = append(got, packet)
				}
			}
		}
		pong := func() { p.request("POST", p.query, "3") }
		for range round {
			res := p.get()
			take(strings.Split(res.body, "\x1e")...)
			pong()
		}
		c := g.dialOnly(v4ws + "&sid=" + p.sid)
		says(t, c, "2probe")
		if round%2 == 0 { // as the stock client: one more poll, then 5
			_, b, err := c.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			take(string(b))
			take(strings.Split(p.get().body, "\x1e")...)
		}
		says(t, c, "5")
		for len(got) < 2*pairs {
			kind, b, err := c.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			if string(b) == "2" {
				says(t, c, "3")
			}
			if kind == websocket.BinaryMessage {
				take(string(NewFrame(b, true).in(dialectV4b64).payload()))
			} else {
				take(string(b))
			}
		}
		pushing.Wait()
		for i := range pairs {
			n := []byte(fmt.Sprint(i))
			if want := string(NewFrame(n, true).in(dialectV4b64).payload()); got[2*i] != "4"+string(n) || got[2*i+1] != want {
				t.Fatalf("round %d: pair %d is %q %q", round, i, got[2*i], got[2*i+1])
			}
		}
		c.Close()
	}
}
