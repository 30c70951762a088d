package engineio

import (
	"net/http"
	"slices"
	"strings"
)

// CORS says which pages of other origins may read the answers to their polling
// requests, refusals included. It keeps no WebSocket out: browsers ask nobody
// about those.
type CORS struct {
	// Origins is empty for no CORS headers at all, "*" alone for any origin, else
	// the origins, which are told to the page as it names itself.
	Origins []string
	// Reflect lets every origin in, named as itself.
	Reflect     bool
	Credentials bool
}

func (c CORS) enabled() bool { return c.Reflect || len(c.Origins) > 0 }

const corsMethods = "GET,HEAD,PUT,PATCH,POST,DELETE"

// allow sets the headers of an answer.
func (c CORS) allow(h http.Header, origin string) {
	if !c.enabled() {
		return
	}
	if !c.Reflect && c.Origins[0] == "*" {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		h.Add("Vary", "Origin")
		same := func(o string) bool { return strings.EqualFold(o, origin) }
		if origin != "" && (c.Reflect || slices.ContainsFunc(c.Origins, same)) {
			h.Set("Access-Control-Allow-Origin", origin)
		}
	}
	if c.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
}

// preflight answers what a browser asks before the request itself.
func (c CORS) preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Add("Vary", "Access-Control-Request-Headers")
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
	}
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusNoContent)
}
