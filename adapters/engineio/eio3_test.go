package engineio

import (
	"fmt"
	"testing"

	"github.com/gorilla/websocket"
)

var eio3 = Options{AllowEIO3: true}

const octets = "application/octet-stream"

func TestEIO3Text(t *testing.T) {
	g := start(t, eio3, handler{message: echoes})
	p := g.poll(v3 + "&b64=1")
	if p.session.Protocol() != 3 {
		t.Fatal("another protocol")
	}
	p.say("6:4hello7:4żółw🐢0:1:4")
	p.gets(200, "6:4hello7:4żółw🐢1:4")
	p.say("1:2")
	p.gets(200, "1:3")
	p.say("10:b4AQIDBA==")
	p.gets(200, "10:b4AQIDBA==")
	wait := p.getting()
	p.say("1:1")
	if res := receive(t, wait, "answer"); res.body != "1:6" {
		t.Fatalf("%+v", res)
	}
}

func TestEIO3Octets(t *testing.T) {
	g := start(t, eio3, handler{message: echoes})
	p := g.poll(v3)
	body := "\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04\x00\x01\x02\xff4żółw🐢"
	p.say(body, "Content-Type", octets)
	res := p.get()
	if res.body != body || res.header.Get("Content-Type") != octets {
		t.Fatalf("%+v", res)
	}
	p.say("3:4hi") // text alone stays text
	if res := p.get(); res.body != "3:4hi" || res.header.Get("Content-Type") != "text/plain; charset=UTF-8" {
		t.Fatalf("%+v", res)
	}
	p.say("", "Content-Type", octets)
	p.say("\x01\x01\xff\x02", "Content-Type", octets) // a binary ping
	p.gets(200, "1:3")
}

func TestEIO3BadPayloads(t *testing.T) {
	for _, c := range []struct{ name, body, kind string }{
		{"nothing", "", ""}, {"no length", "abc", ""}, {"cut short", "9:4a", ""}, {"no packet", "3:abc", ""}, {"a negative length", "-1:4", ""},
		{"text that is not UTF-8", "\x00\x02\xff4\xff", octets}, {"text of no type", "\x00\x02\xff7x", octets}, {"no end of a length", "\x00\x0242", octets}, {"no digit", "\x00\x0a\xff4", octets},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := start(t, eio3, handler{})
			p := g.poll(v3)
			if res := p.request("POST", p.query, c.body, "Content-Type", c.kind); res.status != 400 {
				t.Fatalf("%+v", res)
			}
			g.endsWith(ParseError)
		})
	}
}

func TestEIO3WebSocket(t *testing.T) {
	g := start(t, eio3, handler{message: echoes})
	c, _ := g.dial(v3ws)
	says(t, c, "4hi")
	hears(t, c, "4hi")
	says(t, c, "2")
	hears(t, c, "3")
	says(t, c, "2probe")
	hears(t, c, "3")
	for _, b := range []string{"\x04\x01\x02", "", "\x09x", "\x04"} { // of no type: not looked at
		if err := c.WriteMessage(websocket.BinaryMessage, []byte(b)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"\x04\x01\x02", "\x04"} {
		if kind, b, err := c.ReadMessage(); kind != websocket.BinaryMessage || string(b) != want || err != nil {
			t.Fatalf("%d %q, %v", kind, b, err)
		}
	}
	says(t, c, "b4AQI=")
	if _, b, err := c.ReadMessage(); string(b) != "\x04\x01\x02" || err != nil {
		t.Fatalf("%q, %v", b, err)
	}
	says(t, c, "3") // the client asks, with protocol 3
	closes(t, c, websocket.CloseNoStatusReceived)
	g.endsWith(TransportError)
}

func TestBinaryAsText(t *testing.T) {
	g := start(t, eio3, handler{message: echoes})
	for query, want := range map[string]string{v3ws: "b4AQI=", v4ws: "bAQI="} {
		c, _ := g.dial(query + "&b64=1")
		says(t, c, want)
		hears(t, c, want)
	}
}

func TestEIO3FromBase64PollsToAWebSocketWithBinaryQueued(t *testing.T) {
	g := start(t, eio3, handler{message: echoes})
	p := g.poll(v3 + "&b64=1")
	c := g.dialOnly(v3ws + "&sid=" + p.sid)
	says(t, c, "2probe")
	hears(t, c, "3probe")
	p.session.Push(NewFrame([]byte("event"), false), NewFrame([]byte{1, 2}, true))
	says(t, c, "5")
	hears(t, c, "4event")
	if kind, b, err := c.ReadMessage(); kind != websocket.BinaryMessage || string(b) != "\x04\x01\x02" {
		t.Fatalf("%d %q, %v", kind, b, err)
	}
	if p.session.Transport() != WebSocket {
		t.Fatal("not upgraded")
	}
}

// One frame serves every kind of client, and is encoded once for each.
func TestOneFrameForAll(t *testing.T) {
	g := start(t, eio3, handler{})
	f := NewFrame([]byte{1, 2, 3, 4}, true)
	for query, want := range map[string]string{v4: "bAQIDBA==", v3: "\x01\x05\xff\x04\x01\x02\x03\x04", v3 + "&b64=1": "10:b4AQIDBA=="} {
		p := g.poll(query)
		p.session.Push(f)
		p.gets(200, want)
	}
	for query, want := range map[string]string{v4ws: "\x01\x02\x03\x04", v3ws: "\x04\x01\x02\x03\x04", v4ws + "&b64=1": "bAQIDBA=="} {
		c, s := g.dial(query)
		s.Push(f)
		s.Flush()
		if _, b, err := c.ReadMessage(); string(b) != want || err != nil {
			t.Fatalf("%s: %q, %v", query, b, err)
		}
	}
	for d := dialectV4; d <= dialectV3b64; d++ {
		if first := f.in(d); f.in(d) != first {
			t.Error(fmt.Sprint("encoded twice for ", d))
		}
	}
}
