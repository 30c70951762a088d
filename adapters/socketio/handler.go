package socketio

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"parley/models"
)

// Handler serves everything below /socket.io.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	file := strings.Trim(strings.TrimPrefix(r.URL.Path, enginePathPrefix), "/")
	if file != "" {
		if s.opts.Assets != nil {
			s.opts.Assets.ServeHTTP(w, r)
			return
		}
		refuseHTTP(w, http.StatusNotFound, models.CodeNotFound, "there is no such file")
		return
	}
	query := r.URL.Query()
	if query.Has("j") {
		// JSONP is for browsers without CORS, which no supported client needs.
		refuseHTTP(w, http.StatusBadRequest, 0, "Transport unknown")
		return
	}
	if code, message := s.misversioned(r, query); message != "" {
		refuseHTTP(w, http.StatusBadRequest, code, message)
		return
	}
	if s.closing.Load() {
		refuseHTTP(w, http.StatusServiceUnavailable, models.CodeShuttingDown, "this server is shutting down")
		return
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
	answer := newResponse(w)
	defer answer.finish()
	s.engine.ServeHTTP(answer, r)
}

// The Engine.IO errors, as Node numbers them.
const (
	eioBadRequest  = 3
	eioUnsupported = 5
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
