package socketio

import (
	"net/url"
	"slices"
	"sync"

	"parley/adapters/engineio"
)

// conn is one Engine.IO session and the sockets on it, one a namespace.
type conn struct {
	server  *Server
	session *engineio.Session
	request *Request
	decoder Decoder // the session's reader's
	size    int     // of the packet that is being read, in bytes; the reader's

	mu      sync.Mutex
	joining *joining  // while it has asked for no namespace
	inside  bool      // a namespace has let it in, once
	sockets []*Socket // those being let in too
	reason  Reason    // why we end it
	gone    bool
}

func (s *Server) open(session *engineio.Session) {
	c := &conn{server: s, session: session}
	c.request, _ = session.Description().(*Request)
	c.decoder = s.opts.Parser.NewDecoder(DecoderLimits{Attached: s.opts.Engine.MaxPayload})
	session.Attach(c)
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	c.rest()
	if session.Protocol() == 3 {
		c.connect("/", nil) // clients of protocol 3 do not ask for the main namespace
	}
}

// message is called by the session's reader, and must not block it.
func (c *conn) message(data []byte, binary bool) {
	c.size += len(data)
	p, err := c.decoder.Add(data, binary)
	switch {
	case err != nil:
		c.abort(ReasonParseError)
		return
	case p == nil:
		return
	}
	size := c.size
	c.size = 0
	name, auth := p.Nsp, p.Data
	if c.session.Protocol() == 3 {
		name, auth = versionThree(p)
	}
	socket := c.in(name)
	switch {
	case socket == nil && p.Type == TypeConnect:
		c.connect(name, auth)
	case socket != nil && p.Type == TypeConnect && socket.comesAgain(auth):
	case socket == nil || p.Type == TypeConnect || p.Type == TypeConnectError || !socket.packet(p, size):
		c.abort(ReasonForcedServer) // it does not know where it is
	}
}

// versionThree is where clients of protocol 3 have the parameters of a CONNECT:
// in the namespace, as those of a URL.
func versionThree(p *Packet) (name string, auth any) {
	u, err := url.Parse(p.Nsp)
	if err != nil {
		return p.Nsp, nil
	}
	given := map[string]any{}
	for k, v := range u.Query() {
		given[k] = v[len(v)-1]
	}
	return u.Path, given
}

func (c *conn) in(name string) *Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sockets {
		if s.nsp.name == name {
			return s
		}
	}
	return nil
}

func (c *conn) connect(name string, auth any) {
	nsp := c.server.find(name)
	if nsp == nil {
		c.send(Packet{Type: TypeConnectError, Nsp: name, Data: map[string]any{"message": "Invalid namespace"}})
		return
	}
	s := newSocket(nsp, c, auth)
	c.mu.Lock()
	if c.gone {
		c.mu.Unlock()
		s.life.end()
		return
	}
	c.sockets = append(c.sockets, s)
	c.mu.Unlock()
	c.asks()
	c.server.crew.Run(s.letIn)
}

// rest begins to wait for the client to ask for a namespace. Once one has let it
// in, the connection stays for as long as its heart beats.
func (c *conn) rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.inside && !c.gone && c.joining == nil && len(c.sockets) == 0 {
		c.joining = c.server.joining.add(c)
	}
}

// asks ends that.
func (c *conn) asks() {
	c.mu.Lock()
	j := c.joining
	c.joining = nil
	c.mu.Unlock()
	if j != nil {
		c.server.joining.remove(j)
	}
}

func (c *conn) joined() {
	c.mu.Lock()
	c.inside = true
	c.mu.Unlock()
}

func (c *conn) forget(s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.sockets, s); i >= 0 {
		c.sockets = slices.Delete(c.sockets, i, i+1)
	}
}

// send writes a packet of the server's own.
func (c *conn) send(p Packet) {
	frames, err := c.server.opts.Parser.Encode(p)
	if err != nil {
		c.server.opts.Logger.Error("a packet could not be encoded", "type", p.Type, "err", err)
		return
	}
	c.session.Push(frames...)
	c.session.Flush()
}

// abort ends the connection at once; the sockets' reason is the first one given.
func (c *conn) abort(reason Reason) {
	c.because(reason)
	c.session.Abort(reason)
}

func (c *conn) because(reason Reason) {
	c.mu.Lock()
	if c.reason == "" {
		c.reason = reason
	}
	c.mu.Unlock()
}

// closed is the last thing the engine tells of the session.
func (c *conn) closed(reason Reason) {
	c.mu.Lock()
	c.gone = true
	if c.reason != "" {
		reason = c.reason
	}
	sockets := c.sockets
	c.sockets = nil
	c.mu.Unlock()
	c.asks()
	for _, s := range sockets {
		s.leave(reason)
	}
	c.server.mu.Lock()
	delete(c.server.conns, c)
	c.server.mu.Unlock()
	_ = c.server.guard("OnClose", func() error { c.server.opts.OnClose(c.session, reason); return nil })
}
