package socketio_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/gorilla/websocket"

	"parley/adapters/socketio"
)

// A server that greets who comes, answers what it is asked and tells a room.
func Example() {
	io, err := socketio.New(socketio.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = io.Close(context.Background()) }()
	chat := io.Of("/chat")
	chat.Use(func(_ context.Context, s *socketio.Socket) error {
		if auth, ok := s.Auth().(map[string]any); !ok || auth["name"] == nil {
			return &socketio.Refusal{Message: "who are you?"}
		}
		return nil
	})
	chat.OnConnect(func(s *socketio.Socket) {
		s.Join("lobby")
		s.Emit("welcome", s.Rooms()[1])
	})
	chat.On("say", func(_ *socketio.Socket, e *socketio.Event) {
		e.Ack("said")
		chat.To("lobby").Emit("said", e.Args...)
	})
	web := httptest.NewServer(io) // at any path
	defer web.Close()

	conn, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(web.URL, "http")+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()
	_ = response.Body.Close()
	for _, say := range []string{"", `40/chat,`, `40/chat,{"name":"ada"}`, "", `42/chat,1["say","hello"]`, ""} {
		if say != "" {
			_ = conn.WriteMessage(websocket.TextMessage, []byte(say))
		}
		if _, heard, err := conn.ReadMessage(); err == nil && !strings.Contains(string(heard), "sid") {
			fmt.Println(string(heard))
		}
	}
	// Output:
	// 44/chat,{"message":"who are you?"}
	// 42/chat,["welcome","lobby"]
	// 43/chat,1["said"]
	// 42/chat,["said","hello"]
}
