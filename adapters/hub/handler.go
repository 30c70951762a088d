package hub

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"parley/models"
)

// Handler serves everything at Path and below it.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	file := strings.Trim(strings.TrimPrefix(r.URL.Path, s.opts.Path), "/")
	if file != "" {
		if s.opts.Assets != nil {
			s.opts.Assets.ServeHTTP(w, r)
			return
		}
		refuseHTTP(w, http.StatusNotFound, models.CodeNotFound, "there is no such file")
		return
	}
	// A preflight asks for permission only, and gets it from the engine, whatever
	// becomes of what it is for.
	if r.Method != http.MethodOptions && s.turnsAway(w, r) {
		return
	}
	answer := newResponse(w)
	if websocket.IsWebSocketUpgrade(r) {
		protocol, ok := subprotocol(r.Header.Values(protocolHeader))
		if !ok {
			refuseHTTP(w, http.StatusBadRequest, eioBadRequest, "Bad request")
			return
		}
		if protocol != "" {
			answer.Header().Set(protocolHeader, protocol) // the library answers what stands here
		}
	}
	ctl := http.NewResponseController(w)
	if r.Method == http.MethodPost {
		if ctl.SetReadDeadline(time.Now().Add(pollIOTimeout)) == nil {
			defer func() { _ = ctl.SetReadDeadline(time.Time{}) }()
		}
	} else {
		// A read deadline of the HTTP server would end the poll that waits.
		_ = ctl.SetReadDeadline(time.Time{})
	}
	defer answer.finish()
	s.engine.ServeHTTP(answer, r)
}

// turnsAway answers what the engine is not asked about.
func (s *Server) turnsAway(w http.ResponseWriter, r *http.Request) bool {
	query := r.URL.Query()
	status, code, message := http.StatusBadRequest, any(eioUnknownTransport), "Transport unknown"
	// JSONP is for browsers without CORS, which no supported client needs.
	if !query.Has("j") {
		code, message = s.misversioned(r, query)
		// A client that finds no way in tries again later each time; one whose
		// connection opens and is then closed begins to count anew.
		if message == "" && (s.closing.Load() || s.draining.Load() && !query.Has("sid")) {
			status, code, message = http.StatusServiceUnavailable, models.CodeShuttingDown, "this server is shutting down"
		}
	}
	if message == "" {
		return false
	}
	s.letRead(w.Header(), r.Header.Get("Origin"))
	refuseHTTP(w, status, code, message)
	return true
}

// letRead lets the pages of an origin that may use this server read what it is
// told, as the engine does in its own answers: without it a client hears of an
// error it cannot name.
func (s *Server) letRead(h http.Header, origin string) {
	switch allowed := s.opts.CORSOrigins; {
	case len(allowed) == 0:
	case allowed[0] == "*":
		h.Set("Access-Control-Allow-Origin", "*")
	default:
		h.Add("Vary", "Origin")
		h.Set("Access-Control-Allow-Credentials", "true")
		if slices.ContainsFunc(allowed, func(a string) bool { return strings.EqualFold(a, origin) }) {
			h.Set("Access-Control-Allow-Origin", origin)
		}
	}
}

// The Engine.IO errors, as Node numbers them.
const (
	eioUnknownTransport = 0
	eioBadRequest       = 3
	eioUnsupported      = 5
)

// misversioned looks at the protocol version a request asks for, which the
// library takes as it comes: a session keeps the version it began with, and one
// that is not let in has a code of its own. A WebSocket, too, is told before it
// is one: a close right after it opens says nothing to old clients.
func (s *Server) misversioned(r *http.Request, query url.Values) (code int, message string) {
	version := 3 // whatever is not 4, as Node has it
	if query.Get("EIO") == "4" {
		version = 4
	}
	if sid := query.Get("sid"); sid != "" {
		s.mu.Lock()
		l := s.links[sid]
		s.mu.Unlock()
		if l != nil && l.conn.Protocol() != version {
			return eioBadRequest, "Bad request"
		}
		return 0, ""
	}
	if version == 4 || s.opts.AllowEIO3 || r.Method != http.MethodGet {
		return 0, ""
	}
	switch query.Get("transport") {
	case "polling", "websocket":
		return eioUnsupported, "Unsupported protocol version"
	}
	return 0, ""
}

func refuseHTTP(w http.ResponseWriter, status int, code any, message string) {
	body, err := json.Marshal(map[string]any{"code": code, "message": message})
	if err != nil {
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
