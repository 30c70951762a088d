package hub

import (
	"encoding/json"
	"net/http"
	"strings"

	"parley/models"
)

// Handler serves everything at Path and below it.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if strings.Trim(strings.TrimPrefix(r.URL.Path, s.opts.Path), "/") == "" {
		s.io.ServeHTTP(w, r)
		return
	}
	if s.opts.Assets != nil {
		s.opts.Assets.ServeHTTP(w, r)
		return
	}
	body, err := json.Marshal(map[string]any{"code": models.CodeNotFound, "message": "there is no such file"})
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write(body) // the client has gone, or reads it
}
