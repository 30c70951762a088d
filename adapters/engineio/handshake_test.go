package engineio

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func TestOpenPacket(t *testing.T) {
	g := start(t, Options{}, handler{})
	res := g.request("GET", v4, "")
	if res.status != 200 || res.header.Get("Content-Type") != "text/plain; charset=UTF-8" || res.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%+v", res)
	}
	form := regexp.MustCompile(`^0\{"sid":"([\w-]{20})","upgrades":\["websocket"\],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000\}$`)
	if !form.MatchString(res.body) {
		t.Fatal(res.body)
	}
	if got := g.session().ID(); got != form.FindStringSubmatch(res.body)[1] {
		t.Fatalf("the session is called %q", got)
	}
	c := g.dialOnly(v4ws)
	_, b, err := c.ReadMessage()
	if err != nil || !strings.Contains(string(b), `"upgrades":[],`) {
		t.Fatalf("%s, %v", b, err)
	}
}

func TestIDsAreNeverUsedTwice(t *testing.T) {
	ids := []string{"a", "a", "", "b"}
	g := start(t, Options{NewID: func() string {
		id := ids[0]
		ids = ids[1:]
		return id
	}}, handler{})
	if first, second := g.poll(v4), g.poll(v4); first.sid != "a" || second.sid != "b" {
		t.Fatal(first.sid, second.sid)
	}
}

func TestRefusals(t *testing.T) {
	g := start(t, Options{}, handler{})
	polls := g.poll(v4)
	_, ws := g.dial(v4ws)
	for name, c := range map[string]struct {
		query, method string
		code          int
	}{
		"no EIO":               {"transport=polling", "GET", 5},
		"EIO=abc":              {"EIO=abc&transport=polling", "GET", 5},
		"EIO=3":                {v3, "GET", 5},
		"no transport":         {"EIO=4", "GET", 0},
		"an unknown transport": {"EIO=4&transport=webtransport", "GET", 0},
		"an unknown transport and an unknown sid": {"EIO=4&transport=abc&sid=x", "GET", 0},
		"JSONP":                             {v4 + "&j=0", "GET", 0},
		"POST without a sid":                {v4, "POST", 2},
		"OPTIONS where there is no CORS":    {v4, "OPTIONS", 2},
		"POST of a version without a sid":   {v3, "POST", 2},
		"a WebSocket without an upgrade":    {v4ws, "GET", 3},
		"an unknown sid":                    {v4 + "&sid=nobody", "GET", 1},
		"an unknown sid of another version": {v3 + "&sid=nobody", "POST", 1},
		"a sid of another version":          {v3 + "&sid=" + polls.sid, "GET", 3},
		"a sid of another transport":        {v4 + "&sid=" + ws.ID(), "GET", 3},
	} {
		t.Run(name, func(t *testing.T) {
			res := g.request(c.method, c.query, "")
			var said struct {
				Code    int
				Message string
			}
			if err := json.Unmarshal([]byte(res.body), &said); err != nil || res.status != 400 || said.Code != c.code || said.Message == "" {
				t.Fatalf("%+v, %v", res, err)
			}
			if !strings.HasPrefix(res.body, `{"code":`) || res.header.Get("Content-Type") != "application/json" {
				t.Fatalf("%+v", res)
			}
		})
	}
	if g.tally.of("refused") != 15 {
		t.Fatal("not every refusal was counted")
	}
}

func TestWebSocketRefusals(t *testing.T) {
	g := start(t, Options{}, handler{})
	for name, query := range map[string]string{
		"no EIO": "transport=websocket", "EIO=3": v3ws, "no transport": "EIO=4", "the other transport": v4, "an unknown sid": v4ws + "&sid=nobody",
	} {
		if _, res, err := websocket.DefaultDialer.Dial(g.ws(query), nil); err == nil || res == nil || res.StatusCode != 400 {
			t.Errorf("%s: %v, %v", name, err, res)
		}
	}
	good := []string{"Connection", "keep-alive, Upgrade", "Upgrade", "WebSocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="}
	for name, change := range map[string][]string{
		"no key":             {"Sec-WebSocket-Key", ""},
		"a short key":        {"Sec-WebSocket-Key", "AAAA"},
		"a key of no base64": {"Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAA*=="},
		"version 12":         {"Sec-WebSocket-Version", "12"},
		"another upgrade":    {"Upgrade", "h2c"},
		"bad subprotocols":   {"Sec-WebSocket-Protocol", "a,,b"},
		"subprotocols twice": {"Sec-WebSocket-Protocol", "a, a"},
		"no subprotocol":     {"Sec-WebSocket-Protocol", ""},
	} {
		if res := g.request("GET", v4ws, "", append(good[:len(good):len(good)], change...)...); res.status != 400 {
			t.Errorf("%s: %+v", name, res)
		} else if strings.HasPrefix(name, "version") && res.header.Get("Sec-WebSocket-Version") != "13, 8" {
			t.Errorf("%s: %+v", name, res)
		}
	}
	if g.engine.Len() != 0 {
		t.Fatal("a refused one is a session")
	}
	g.dial(v4ws)
}

func TestSubprotocolAndExtensions(t *testing.T) {
	g := start(t, Options{}, handler{message: echoes})
	d := websocket.Dialer{Subprotocols: []string{"first", "second"}, EnableCompression: true}
	c, res, err := d.Dial(g.ws(v4ws), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Subprotocol() != "first" || res.Header.Get("Sec-Websocket-Extensions") != "" {
		t.Fatalf("%q, %v", c.Subprotocol(), res.Header)
	}
	if _, _, err := c.ReadMessage(); err != nil {
		t.Fatal(err)
	}
	says(t, c, "4"+repeat(5000))
	hears(t, c, "4"+repeat(5000))
}

func TestTransports(t *testing.T) {
	g := start(t, Options{Transports: []string{WebSocket}}, handler{})
	if res := g.request("GET", v4, ""); res.status != 400 || !strings.Contains(res.body, `"code":0`) {
		t.Fatalf("%+v", res)
	}
	g.dial(v4ws)
	g = start(t, Options{Transports: []string{Polling}}, handler{})
	if res := g.request("GET", v4, ""); !strings.Contains(res.body, `"upgrades":[],`) {
		t.Fatalf("%+v", res)
	}
	if _, err := New(Options{Transports: []string{"webtransport"}}, handler{}); err == nil {
		t.Fatal("an unknown transport was taken")
	}
}

func TestWhatIsKeptOfTheRequest(t *testing.T) {
	asked := 0
	g := start(t, Options{Describe: func(r *http.Request) any {
		asked++
		return r.Header.Get("X-Mine") + r.URL.Query().Get("transport")
	}}, handler{})
	g.request("GET", v4, "", "X-Mine", "me")
	s := g.session()
	if s.Description() != "mepolling" || !strings.HasPrefix(s.RemoteAddr(), "127.0.0.1:") || s.Protocol() != 4 || s.Transport() != Polling {
		t.Fatal(s.Description(), s.RemoteAddr(), s.Protocol(), s.Transport())
	}
	g.request("POST", v4+"&sid="+s.ID(), "4x")
	if asked != 1 {
		t.Fatal("asked again")
	}
}

func TestAllowRequest(t *testing.T) {
	g := start(t, Options{AllowRequest: func(r *http.Request) error {
		if r.Header.Get("X-Mine") == "" {
			return errors.New("not you")
		}
		return nil
	}}, handler{})
	if res := g.request("GET", v4, ""); res.status != 403 || res.body != `{"code":4,"message":"not you"}` {
		t.Fatalf("%+v", res)
	}
	if res := g.request("GET", v4, "", "X-Mine", "1"); res.status != 200 {
		t.Fatalf("%+v", res)
	}
}

func TestCORS(t *testing.T) {
	const page, second, stranger = "https://page.example", "https://second.example", "https://stranger.example"
	for name, c := range map[string]struct {
		cors CORS
		want map[string][3]string // origin, credentials, Vary
	}{
		"none":    {CORS{}, map[string][3]string{page: {}}},
		"any":     {CORS{Origins: []string{"*"}}, map[string][3]string{page: {"*"}}},
		"reflect": {CORS{Reflect: true, Credentials: true}, map[string][3]string{page: {page, "true", "Origin"}, stranger: {stranger, "true", "Origin"}}},
		"some": {CORS{Origins: []string{page, second}, Credentials: true}, map[string][3]string{
			page: {page, "true", "Origin"}, second: {second, "true", "Origin"}, stranger: {"", "true", "Origin"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, Options{CORS: c.cors}, handler{})
			sid := "&sid=" + g.poll(v4).sid
			for origin, want := range c.want {
				for _, query := range []string{v4, v3, "EIO=4", v4 + "&sid=nobody", v3 + sid} {
					h := g.request("GET", query, "", "Origin", origin).header
					if got := [3]string{h.Get("Access-Control-Allow-Origin"), h.Get("Access-Control-Allow-Credentials"), h.Get("Vary")}; got != want {
						t.Errorf("%s from %s: %q", query, origin, got)
					}
				}
				if name == "none" {
					continue
				}
				res := g.request("OPTIONS", v3+sid, "", "Origin", origin, "Access-Control-Request-Headers", "x-mine")
				if res.status != 204 || res.header.Get("Access-Control-Allow-Origin") != want[0] || res.header.Get("Access-Control-Allow-Headers") != "x-mine" ||
					res.header.Get("Access-Control-Allow-Methods") != corsMethods {
					t.Errorf("preflight from %s: %+v", origin, res)
				}
			}
		})
	}
}

func TestShutdownLetsNobodyIn(t *testing.T) {
	g := start(t, Options{}, handler{})
	p := g.poll(v4)
	p.session.Push(NewFrame([]byte("last"), false))
	c, _ := g.dial(v4ws)
	done := make(chan error, 1)
	go func() { done <- g.engine.Shutdown(t.Context()) }()
	closes(t, c, websocket.CloseNoStatusReceived)
	g.endsWith(ServerShutdown)
	if res := g.request("GET", v4, ""); res.status != 503 {
		t.Fatalf("%+v", res)
	}
	p.gets(200, "4last")
	p.gets(200, "1") // in an answer of its own
	g.endsWith(ServerShutdown)
	if err := receive(t, done, "end of Shutdown"); err != nil {
		t.Fatal(err)
	}
	if err := leaksOf(g.engine); err != nil {
		t.Fatal(err)
	}
}

func leaksOf(s *Server) error {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if s.crew.Wait(ended) != nil {
		return errors.New("goroutines are left")
	}
	return nil
}

func TestCloseDuringShutdown(t *testing.T) {
	g := start(t, Options{CloseTimeout: time.Hour}, handler{})
	g.poll(v4)
	done := make(chan error, 1)
	go func() { done <- g.engine.Shutdown(t.Context()) }()
	eventually(t, "the shutdown began", g.engine.registry.isClosed)
	if err := g.engine.Close(); err != nil { // nobody polls any more
		t.Fatal(err)
	}
	if err := receive(t, done, "end of Shutdown"); err != nil {
		t.Fatal(err)
	}
	g.endsWith(ServerShutdown)
}
