package hub

import (
	"context"
	"strings"
	"time"

	"parley/adapters/cluster"
	"parley/adapters/engineio"
	"parley/models"
)

// probeRoom names, in requests to other pods, the user whose sockets are to say
// that they are alive. Nobody is in a room of that name, so that it shows up
// nowhere, and pods that do not know it do nothing.
const probeRoom = "parley:probe:"

// When it is looked who has answered; who has not by the last is dead.
var probeLooks = []time.Duration{50 * time.Millisecond, 150 * time.Millisecond, 400 * time.Millisecond, time.Second}

// Probe asks the user's sockets, but for one, on every pod, whether they are
// alive, and ends those that do not say so. It is true, at once, where so many of
// this pod's have; else it returns when the other pods are done, too.
func (s *Server) Probe(ctx context.Context, user models.UserID, except models.SocketID, others int) (alive bool) {
	done := time.NewTimer(probeLooks[len(probeLooks)-1])
	defer done.Stop()
	sel := selection{rooms: []string{probeRoom + string(user)}, except: []string{string(except)}}
	s.opts.Bus.Disconnect(cluster.Options{Rooms: sel.rooms, Except: sel.except}, true)
	if s.probe(ctx, s.suspects(sel)) >= others {
		return true
	}
	select {
	case <-done.C:
	case <-ctx.Done():
	}
	return false
}

// suspects are the sockets a probe is for; clients of protocol 3, which a server
// cannot ask, are among them.
func (s *Server) suspects(sel selection) []*member {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	for _, name := range sel.rooms {
		user, ok := strings.CutPrefix(name, probeRoom)
		if !ok {
			continue
		}
		var all []*member
		for _, m := range s.index.pick(selection{rooms: []string{userRoom(models.UserID(user))}, except: sel.except}, nil) {
			if m.phase == live && string(m.user) == user {
				all = append(all, m)
			}
		}
		return all
	}
	return nil
}

func (s *Server) probe(ctx context.Context, suspects []*member) (alive int) {
	asked := time.Now()
	var silent []*member
	for _, m := range suspects {
		if m.session.Ping() {
			silent = append(silent, m)
		} else {
			alive++ // its client pings, not we
		}
	}
	for _, at := range probeLooks {
		if len(silent) == 0 {
			break
		}
		wait := time.NewTimer(at - time.Since(asked))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return alive
		}
		kept := silent[:0]
		for _, m := range silent {
			if m.session.LastHeard().Before(asked) {
				kept = append(kept, m)
			} else {
				alive++
			}
		}
		silent = kept
	}
	for _, m := range silent {
		m.session.Abort(engineio.PingTimeout)
	}
	return alive
}
