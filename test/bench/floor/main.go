// Command floor is the least a server can do to pass on what it hears from
// Redis: it knows rooms, WebSocket frames and nothing else. No Socket.IO, no
// acknowledgements, no bounds, no books. What Parley costs beyond it is the
// price of being Socket.IO.
//
// GET /?rooms=a,b joins; whatever is published on floor#ROOM is written to the
// room's sockets as one text frame. It ends when stdin is closed.
package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const prefix = "floor#"

type floor struct {
	mu    sync.Mutex
	rooms map[string][]net.Conn
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: floor REDIS-ADDRESS")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func run(redis string) error {
	f := &floor{rooms: map[string][]net.Conn{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", redis)
	if err != nil {
		return err
	}
	ended := make(chan error, 3)
	go func() { ended <- f.listen(conn) }()
	server := &http.Server{Handler: http.HandlerFunc(f.join), ReadHeaderTimeout: 10 * time.Second}
	go func() { ended <- server.Serve(listener) }()
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		ended <- err
	}()
	fmt.Printf("{\"msg\":\"listening\",\"url\":\"http://%s\"}\n", listener.Addr())
	return <-ended
}

// join upgrades the connection and puts it into its rooms for good.
func (f *floor) join(w http.ResponseWriter, r *http.Request) {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	if err != nil {
		_ = conn.Close()
		return
	}
	f.mu.Lock()
	for room := range strings.SplitSeq(r.URL.Query().Get("rooms"), ",") {
		f.rooms[room] = append(f.rooms[room], conn)
	}
	f.mu.Unlock()
	_, _ = io.Copy(io.Discard, conn) // until the client goes
}

// listen hands on what is published until Redis goes.
func (f *floor) listen(conn net.Conn) error {
	if _, err := io.WriteString(conn, "PSUBSCRIBE "+prefix+"*\r\n"); err != nil {
		return err
	}
	in := bufio.NewReaderSize(conn, 64<<10)
	for {
		parts, err := readArray(in)
		if err != nil {
			return err
		}
		if len(parts) == 4 && string(parts[0]) == "pmessage" {
			f.broadcast(strings.TrimPrefix(string(parts[2]), prefix), parts[3])
		}
	}
}

func (f *floor) broadcast(room string, payload []byte) {
	frame := []byte{0x81}
	switch n := len(payload); {
	case n < 126:
		frame = append(frame, byte(n))
	case n < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, 126), uint16(n))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 127), uint64(n))
	}
	frame = append(frame, payload...)
	f.mu.Lock()
	conns := f.rooms[room]
	f.mu.Unlock()
	for _, c := range conns {
		_, _ = c.Write(frame) // a client that left is not this program's business
	}
}

// readArray reads one RESP array of bulk strings and integers.
func readArray(in *bufio.Reader) ([][]byte, error) {
	n, err := readLength(in, '*')
	if err != nil {
		return nil, err
	}
	parts := make([][]byte, n)
	for i := range parts {
		kind, err := in.Peek(1)
		if err != nil {
			return nil, err
		}
		size, err := readLength(in, kind[0])
		if err != nil {
			return nil, err
		}
		if kind[0] == ':' {
			continue
		}
		parts[i] = make([]byte, size+2)
		if _, err := io.ReadFull(in, parts[i]); err != nil {
			return nil, err
		}
		parts[i] = parts[i][:size]
	}
	return parts, nil
}

func readLength(in *bufio.Reader, kind byte) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if line[0] != kind {
		return 0, fmt.Errorf("unexpected reply %q", line)
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}
