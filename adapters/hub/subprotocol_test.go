package hub

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

const protocolHeader = "Sec-Websocket-Protocol"

func TestSubprotocolIsAnswered(t *testing.T) {
	t.Parallel()
	p := newPod(t, nil, chat).start()
	url := "ws" + strings.TrimPrefix(p.http.URL, "http") + "/socket.io?EIO=4&transport=websocket" // as with addTrailingSlash: false
	for asked, want := range map[string]string{"": "", "x": "x", "second, first": "second"} {
		header := http.Header{}
		if asked != "" {
			header.Set(protocolHeader, asked)
		}
		conn, res, err := websocket.DefaultDialer.Dial(url, header)
		if err != nil {
			t.Fatal(asked, err)
		}
		if got := strings.Join(res.Header.Values(protocolHeader), "|"); got != want {
			t.Errorf("%q: answered %q", asked, got)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	_, res, err := websocket.DefaultDialer.Dial(url, http.Header{protocolHeader: {"x, x"}})
	if err == nil || res == nil || res.StatusCode != http.StatusBadRequest {
		t.Errorf("one offered twice: %v %v", res, err)
	}
}

// A pod serves where it is told to, and tells other pods so.
func TestPath(t *testing.T) {
	t.Parallel()
	p := newPod(t, func(o *Options) { o.Path = "/chat/ws" }, chat).start()
	for target, want := range map[string]int{
		"/chat/ws/?EIO=4&transport=polling": 200, "/chat/ws?EIO=4&transport=polling": 200, "/chat/ws/nothing.js": 404, "/socket.io/?EIO=4&transport=polling": 404,
	} {
		if status, body := get(t, p.http.URL+target); status != want {
			t.Errorf("%s: %d %s", target, status, body)
		}
	}
}
