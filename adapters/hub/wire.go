package hub

import (
	"net"
	"time"

	"parley/adapters/cluster"
)

// describe is what other pods are told about a socket. Its token stays here.
func describe(m *member, rooms []string) cluster.Socket {
	r := m.socket.Request()
	query := map[string]any{}
	for k, v := range r.Query() {
		if k != "token" {
			query[k] = asNode(v)
		}
	}
	headers := map[string]any{"host": r.Host} // Go keeps the Host apart from the other headers
	for k, v := range r.Headers() {
		if k != "authorization" && k != "cookie" {
			headers[k] = v
		}
	}
	_, crossDomain := headers["origin"]
	came := m.socket.Came()
	return cluster.Socket{
		ID: m.id, Rooms: rooms,
		Handshake: map[string]any{
			"headers": headers, "time": jsTime(came), "address": hostOf(r.RemoteAddr), "xdomain": crossDomain,
			"secure": r.Secure, "issued": came.UnixMilli(), "url": m.server.opts.Path + "/", "query": query,
			"auth": map[string]any{},
		},
	}
}

// jsTime prints a time as JavaScript's Date turns into text.
func jsTime(t time.Time) string {
	return t.UTC().Format("Mon Jan 02 2006 15:04:05 GMT+0000 (Coordinated Universal Time)")
}

// hostOf drops the port of an address, which Node does not show.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// asNode shows the values of a parameter as Node does: alone where there is one,
// several as a list.
func asNode(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	values := make([]any, len(list))
	for i, s := range list {
		values[i] = s
	}
	return values
}
