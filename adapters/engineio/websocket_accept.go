package engineio

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
	"slices"
	"strings"
)

const websocketGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// acceptWebSocket opens a WebSocket: for a new session, or to probe one that
// polls. When it returns, nothing of the request is kept.
func (s *Server) acceptWebSocket(w http.ResponseWriter, r *http.Request, q request) {
	response, problem := switchingProtocols(r)
	if problem != "" {
		h := w.Header()
		h.Set("Content-Type", "text/html")
		h.Set("Connection", "close")
		h.Set("Sec-WebSocket-Version", "13, 8")
		_ = s.reply(w, http.StatusBadRequest, []byte(problem))
		return
	}
	session := q.session
	if session == nil {
		session = s.newSession(r, q)
		defer session.turn.Unlock()
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.opts.Logger.Error("a connection cannot be taken over", "err", err)
		s.refuse(w, badRequest)
		return
	}
	ahead, err := readAhead(rw.Reader)
	if err != nil {
		_ = conn.Close()
		return
	}
	socket := s.newWebSocket(conn, session, ahead, dialectOf(q.protocol, q.base64))
	if q.session == nil {
		session.socket = socket
		session.openWebSocket(response)
		return
	}
	socket.probe = &probe{}
	s.crew.Run(func() { socket.beginProbe(response) })
}

// readAhead is what net/http has read of the WebSocket already.
func readAhead(r *bufio.Reader) ([]byte, error) {
	if r.Buffered() == 0 {
		return nil, nil
	}
	b, err := r.Peek(r.Buffered())
	return bytes.Clone(b), err
}

// openWebSocket opens a session that is a WebSocket from the start: the open
// packet follows the response.
func (s *Session) openWebSocket(response []byte) {
	w := s.socket
	first, refused := s.server.admit(s, WebSocket)
	if refused != nil {
		_ = w.conn.Close()
		return
	}
	defer s.server.crew.Run(w.serve)
	err := w.write(append(response, first.wire...), s.server.opts.IOTimeout)
	if err == nil {
		err = w.writesFreely()
	}
	if err != nil {
		s.fail(TransportError, err) // never opened, so nobody is told
		return
	}
	s.open(WebSocket)
}

// switchingProtocols is the answer that opens a WebSocket, or what is wrong with
// the request, as the ws package of Node has it. Extensions are declined by not
// being named; of subprotocols, the first is taken.
func switchingProtocols(r *http.Request) (response []byte, problem string) {
	h := r.Header
	key := h.Get("Sec-WebSocket-Key")
	version := h.Get("Sec-WebSocket-Version")
	switch raw, err := base64.StdEncoding.Strict().DecodeString(key); {
	case r.Method != http.MethodGet:
		return nil, "Invalid HTTP method"
	case !strings.EqualFold(h.Get("Upgrade"), "websocket"):
		return nil, "Invalid Upgrade header"
	case err != nil || len(raw) != 16:
		return nil, "Missing or invalid Sec-WebSocket-Key header"
	case version != "13" && version != "8":
		return nil, "Missing or invalid Sec-WebSocket-Version header"
	}
	sum := sha1.New() // as RFC 6455 asks
	_, _ = io.WriteString(sum, key+websocketGUID)
	response = append(response, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	response = base64.StdEncoding.AppendEncode(response, sum.Sum(nil))
	if offered, ok := h["Sec-Websocket-Protocol"]; ok {
		names := strings.Split(strings.Join(offered, ","), ",")
		for i, name := range names {
			name = strings.Trim(name, " \t")
			if !isToken(name) || slices.Contains(names[:i], name) {
				return nil, "Invalid Sec-WebSocket-Protocol header"
			}
			names[i] = name
		}
		response = append(append(response, "\r\nSec-WebSocket-Protocol: "...), names[0]...)
	}
	return append(response, "\r\n\r\n"...), ""
}

// isToken says that s is a token of HTTP.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("()<>@,;:\\\"/[]?={}", c) >= 0 {
			return false
		}
	}
	return s != ""
}
