package socketio

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Request is what is kept of the HTTP request a connection began with: plain
// strings, and not the request, which holds on to buffers.
type Request struct {
	RemoteAddr string
	Host       string
	URL        string // path and query
	Secure     bool
	Came       time.Time
	header     string // lines as in a request, lower-case names
}

// describe is called by the engine once for each connection.
func describe(r *http.Request) any {
	var b strings.Builder
	for name, values := range r.Header {
		b.WriteString(strings.ToLower(name))
		b.WriteString(": ")
		b.WriteString(strings.Join(values, ", "))
		b.WriteByte('\n')
	}
	return &Request{
		RemoteAddr: r.RemoteAddr, Host: r.Host, URL: r.URL.RequestURI(), Secure: r.TLS != nil,
		Came: time.Now(), header: b.String(),
	}
}

// Header is the value of a header; several are joined by ", ".
func (r *Request) Header(name string) string {
	for line := range strings.Lines(r.header) {
		if n, v, ok := strings.Cut(line, ": "); ok && strings.EqualFold(n, name) {
			return strings.TrimSuffix(v, "\n")
		}
	}
	return ""
}

// Headers are all of them, by their lower-case names.
func (r *Request) Headers() map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(r.header) {
		if n, v, ok := strings.Cut(line, ": "); ok {
			all[n] = strings.TrimSuffix(v, "\n")
		}
	}
	return all
}

// Query are the parameters of the URL.
func (r *Request) Query() url.Values {
	_, raw, _ := strings.Cut(r.URL, "?")
	values, _ := url.ParseQuery(raw) // what can be read of it
	return values
}
