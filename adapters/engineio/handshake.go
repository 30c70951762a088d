package engineio

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// refusal is what a request is turned away with, in Node's words.
type refusal struct {
	status  int
	Code    int    `json:"code"`
	Message string `json:"message"`
}

var (
	unknownTransport   = &refusal{http.StatusBadRequest, 0, "Transport unknown"}
	unknownSession     = &refusal{http.StatusBadRequest, 1, "Session ID unknown"}
	badMethod          = &refusal{http.StatusBadRequest, 2, "Bad handshake method"}
	badRequest         = &refusal{http.StatusBadRequest, 3, "Bad request"}
	unsupportedVersion = &refusal{http.StatusBadRequest, 5, "Unsupported protocol version"}
	shuttingDown       = &refusal{http.StatusServiceUnavailable, 4, "The server is shutting down"}
)

const codeForbidden = 4

func (s *Server) refuse(w http.ResponseWriter, what *refusal) {
	s.opts.Metrics.Refused(what.Code)
	body, err := json.Marshal(what)
	if err != nil { // cannot be: a number and a text
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = s.reply(w, what.status, body) // the client has gone, or reads it
}

// request is what a request asks for.
type request struct {
	session  *Session // nil for a new one
	protocol int
	base64   bool
	upgrade  bool
}

// verify looks at a request in the order Node does, but for the version of a new
// session: a WebSocket is told before it is one, because a close right after it
// opens says nothing to old clients.
func (s *Server) verify(r *http.Request) (request, *refusal) {
	query := r.URL.Query()
	transport, sid := query.Get("transport"), query.Get("sid")
	q := request{protocol: 3, base64: query.Get("b64") != "", upgrade: isUpgrade(r)}
	if query.Get("EIO") == "4" {
		q.protocol = 4
	}
	switch {
	// JSONP is for browsers without CORS, which no client needs any more.
	case query.Has("j"), !slices.Contains(s.opts.Transports, transport):
		return q, unknownTransport
	case q.upgrade && transport != WebSocket:
		return q, badRequest
	case sid == "":
		return q, s.verifyNew(r, q, transport)
	}
	q.session = s.registry.find(sid)
	switch {
	case q.session == nil:
		return q, unknownSession
	case !q.upgrade && q.session.Transport() != transport, q.session.protocol != q.protocol:
		return q, badRequest
	}
	return q, nil
}

func (s *Server) verifyNew(r *http.Request, q request, transport string) *refusal {
	switch {
	case r.Method != http.MethodGet:
		return badMethod
	case transport == WebSocket && !q.upgrade:
		return badRequest
	case s.registry.isClosed():
		return shuttingDown
	}
	if s.opts.AllowRequest != nil {
		if err := s.opts.AllowRequest(r); err != nil {
			return &refusal{http.StatusForbidden, codeForbidden, err.Error()}
		}
	}
	if q.protocol == 3 && !s.opts.AllowEIO3 {
		return unsupportedVersion
	}
	return nil
}

func isUpgrade(r *http.Request) bool {
	return r.ProtoMajor == 1 && r.Header.Get("Upgrade") != "" && hasToken(r.Header["Connection"], "upgrade")
}

func hasToken(values []string, token string) bool {
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// hello is the open packet; its order is Node's.
type hello struct {
	SID          string   `json:"sid"`
	Upgrades     []string `json:"upgrades"`
	PingInterval int64    `json:"pingInterval"`
	PingTimeout  int64    `json:"pingTimeout"`
	MaxPayload   int64    `json:"maxPayload"`
}

func (s *Server) openPacket(session *Session, transport string) (*Frame, error) {
	said := hello{
		SID: session.id, Upgrades: []string{}, MaxPayload: s.opts.MaxPayload,
		PingInterval: s.opts.PingInterval.Milliseconds(), PingTimeout: s.opts.PingTimeout.Milliseconds(),
	}
	if transport == Polling && slices.Contains(s.opts.Transports, WebSocket) {
		said.Upgrades = append(said.Upgrades, WebSocket)
	}
	body, err := json.Marshal(said)
	return newPacket("0" + string(body)), err
}

// newSession makes the session a request asks for. Its turn is the caller's,
// until the Handler has been told.
func (s *Server) newSession(r *http.Request, q request) *Session {
	session := &Session{server: s, remote: strings.Clone(r.RemoteAddr), protocol: q.protocol}
	session.queue.init()
	if s.opts.Describe != nil {
		session.description = s.opts.Describe(r)
	}
	session.turn.Lock()
	return session
}

// admit makes a session known, with its transport and the first thing it says.
func (s *Server) admit(session *Session, transport string) (*Frame, *refusal) {
	if !s.registry.add(session, s.opts.NewID) {
		return nil, shuttingDown
	}
	session.startHeartbeat()
	first, err := s.openPacket(session, transport)
	if err != nil {
		s.opts.Logger.Error("the open packet cannot be encoded", "err", err)
		session.fail(TransportError, err)
		return nil, badRequest
	}
	return first, nil
}

// openPolling opens a session that polls: the open packet answers the request.
func (s *Server) openPolling(w http.ResponseWriter, r *http.Request, q request) {
	session := s.newSession(r, q)
	defer session.turn.Unlock()
	session.base64, session.poll = q.base64, &polling{}
	first, refused := s.admit(session, Polling)
	if refused != nil {
		s.refuse(w, refused)
		return
	}
	if err := s.answer(w, r, session, []*Frame{first}); err != nil {
		session.fail(TransportError, err) // never opened, so nobody is told
		return
	}
	session.open(Polling)
}
