// Command floor is as little as a Go program can do and still pass for a
// Socket.IO server: a goroutine a socket, one prepared frame, one blocking
// write system call a recipient, a timer a socket for pings. No namespaces, no
// acknowledgements, no queues, no checks; one client that does not read stops
// it. What an engine costs beyond it is the price of being an engine.
package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type floor struct {
	sockets atomic.Int64
	mu      sync.RWMutex
	rooms   map[string][]net.Conn
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
	fmt.Println("http://" + listener.Addr().String())
	f := &floor{rooms: map[string][]net.Conn{}}
	for {
		conn, err := listener.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, "floor:", err)
			os.Exit(1)
		}
		go f.serve(conn)
	}
}

const pingInterval = 25 * time.Second

// serve is a client's whole life. Whatever it does wrong ends it.
func (f *floor) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReaderSize(conn, 512)
	key, err := request(in)
	if err != nil {
		return
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	hello := fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	id := f.sockets.Add(1)
	hello = append(hello, frame(fmt.Appendf(nil, `0{"sid":"e%d","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`, id))...)
	if _, err := conn.Write(hello); err != nil {
		return
	}
	ping := frame([]byte("2"))
	var timer *time.Timer
	timer = time.AfterFunc(pingInterval, func() {
		if _, err := conn.Write(ping); err == nil {
			timer.Reset(pingInterval)
		}
	})
	defer timer.Stop()
	for {
		text, err := read(in)
		if err != nil {
			return
		}
		if err := f.packet(conn, id, text); err != nil {
			return
		}
	}
}

// request reads the head of a request for its key.
func request(in *bufio.Reader) (key string, err error) {
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == "\r\n" {
			return key, err
		}
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "Sec-WebSocket-Key") {
			key = strings.TrimSpace(value)
		}
	}
}

// read reads one masked frame of a client, of less than 64 KiB.
func read(in *bufio.Reader) ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(in, head[:2]); err != nil {
		return nil, err
	}
	size := int(head[1] & 0x7f)
	if size == 126 {
		if _, err := io.ReadFull(in, head[:2]); err != nil {
			return nil, err
		}
		size = int(binary.BigEndian.Uint16(head[:]))
	}
	b := make([]byte, 4+size)
	if _, err := io.ReadFull(in, b); err != nil {
		return nil, err
	}
	mask, b := b[:4], b[4:]
	for i := range b {
		b[i] ^= mask[i&3]
	}
	return b, nil
}

func frame(text []byte) []byte {
	b := []byte{0x81}
	if n := len(text); n < 126 {
		b = append(b, byte(n))
	} else {
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	}
	return append(b, text...)
}

// packet takes CONNECT, which joins rooms, and bench, which sends to one.
func (f *floor) packet(conn net.Conn, id int64, text []byte) error {
	if auth, ok := strings.CutPrefix(string(text), "40"); ok {
		var a struct{ Rooms []string }
		if err := json.Unmarshal([]byte(auth), &a); err != nil {
			return err
		}
		f.mu.Lock()
		for _, r := range a.Rooms {
			f.rooms[r] = append(f.rooms[r], conn)
		}
		f.mu.Unlock()
		_, err := conn.Write(frame(fmt.Appendf(nil, `40{"sid":"s%d"}`, id)))
		return err
	}
	if args, ok := strings.CutPrefix(string(text), `42["bench",`); ok {
		return f.bench([]byte(strings.TrimSuffix(args, "]")))
	}
	return nil
}

func (f *floor) bench(args []byte) error {
	var order struct {
		Room        string
		N, Size, ID int
	}
	if err := json.Unmarshal(args, &order); err != nil {
		return err
	}
	for i := range order.N {
		message := struct {
			ID   int    `json:"id"`
			I    int    `json:"i"`
			Room string `json:"room"`
			Text string `json:"text"`
		}{order.ID, i, order.Room, strings.Repeat("x", order.Size)}
		text, err := json.Marshal(message)
		if err != nil {
			return err
		}
		out := frame(fmt.Appendf(nil, `42["new_message",%s]`, text))
		f.mu.RLock()
		for _, c := range f.rooms[order.Room] {
			_, _ = c.Write(out) // who has left is not this program's business
		}
		f.mu.RUnlock()
	}
	return nil
}
