package socketio

import (
	"fmt"
	"runtime/debug"
)

// guard runs what the application gave us: its panic is counted and logged, and
// becomes an error.
func (s *Server) guard(what string, fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if m := s.opts.Engine.Metrics; m != nil {
				m.Panicked()
			}
			s.opts.Logger.Error("panic", "in", what, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic in %s: %v", what, r)
		}
	}()
	return fn()
}
