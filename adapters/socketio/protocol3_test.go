package socketio

import (
	"strings"
	"testing"

	"parley/adapters/engineio"
)

// A client of protocol 3 is in the main namespace without asking, and asks for
// another with the parameters of its CONNECT in a query, of each the last.
func TestProtocol3(t *testing.T) {
	_, url := serve(t, Options{Engine: engineio.Options{AllowEIO3: true}}, func(io *Server) {
		for _, name := range []string{"/", "/custom"} {
			n := io.Of(name)
			n.OnConnect(func(s *Socket) { s.Emit("in", n.Name(), s.Auth()) })
			n.OnAny(func(s *Socket, e *Event) { s.Emit(e.Name, n.Name()) })
		}
	})
	c := dial(t, strings.Replace(url, "EIO=4", "EIO=3", 1))
	for _, want := range []string{"40", `42["in","/",null]`} {
		c.expect(want)
	}
	c.write("40/custom?token=a%20b&x=1&x=2,")
	c.expect("40/custom,")
	c.expect(`42/custom,["in","/custom",{"token":"a b","x":"2"}]`)
	c.write(`42/custom,["there"]`)
	c.expect(`42/custom,["there","/custom"]`)
	c.write(`42["here"]`)
	c.expect(`42["here","/"]`)
	c.write("40/nowhere?token=a,")
	c.expect(`44/nowhere,{"message":"Invalid namespace"}`)
	c.write("41/custom,", `42["still here"]`)
	c.expect(`42["still here","/"]`)
}
