package hub

import "strings"

// protocolHeader is spelled as net/http keeps it.
const protocolHeader = "Sec-Websocket-Protocol"

// subprotocol chooses the first the client offers, as ws does on Node: which it
// is means nothing to Socket.IO, but a browser that offered some and is answered
// none fails the connection. A list that cannot be read, or that names one
// twice, is not ok; none is "".
func subprotocol(fields []string) (chosen string, ok bool) {
	if len(fields) == 0 {
		return "", true
	}
	offered := strings.Split(strings.Join(fields, ","), ",")
	seen := make(map[string]bool, len(offered))
	for i, name := range offered {
		name = strings.Trim(name, " \t")
		offered[i] = name
		if name == "" || seen[name] || strings.ContainsFunc(name, notInToken) {
			return "", false
		}
		seen[name] = true
	}
	return offered[0], true
}

// notInToken is what ws takes for the end of a name (RFC 9110, 5.6.2).
func notInToken(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}
