package engineio_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/gorilla/websocket"

	"parley/adapters/engineio"
)

// echo sends every message back.
type echo struct{ closed chan engineio.Reason }

func (echo) Open(*engineio.Session) {}

func (echo) Message(s *engineio.Session, data []byte, binary bool) {
	s.Push(engineio.NewFrame(data, binary))
	s.Flush()
}

func (e echo) Close(_ *engineio.Session, reason engineio.Reason, _ error) { e.closed <- reason }

func Example() {
	handler := echo{closed: make(chan engineio.Reason, 1)}
	engine, err := engineio.New(engineio.Options{}, handler)
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(engine)
	defer server.Close()
	defer engine.Shutdown(context.Background())

	url := strings.Replace(server.URL, "http", "ws", 1) + "/engine.io/?EIO=4&transport=websocket"
	client, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, hello, _ := client.ReadMessage()
	fmt.Printf("%s\n", hello[:8])
	_ = client.WriteMessage(websocket.TextMessage, []byte("4hello"))
	_, answer, _ := client.ReadMessage()
	fmt.Printf("%s\n", answer)
	_ = client.Close()
	fmt.Println(<-handler.closed)
	// Output:
	// 0{"sid":
	// 4hello
	// transport close
}
