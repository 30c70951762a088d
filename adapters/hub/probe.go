package hub

import (
	"context"
	"slices"
	"strings"
	"time"

	"parley/adapters/engineio"
	"parley/adapters/socketio"
	"parley/models"
)

// probeRoom names, in what other pods are asked, the user whose sockets are to say
// that they are alive. Nobody is in a room of that name, so that pods that do not
// know it do nothing, and have nobody there.
const probeRoom = "parley:probe:"

// probeTime is how long a client may take to answer; who has not is dead.
const probeTime = time.Second

// Probe asks the user's sockets, but for one, on every pod, whether they are
// alive, and ends those that do not say so. It is true, as soon as that is known,
// where so many have; else it returns when all pods are done.
func (s *Server) Probe(ctx context.Context, user models.UserID, except models.SocketID, others int) (alive bool) {
	bounded, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	to := socketio.Audience{Rooms: []string{probeRoom + string(user)}, Except: []string{string(except)}}
	// Which reaches the others, late, though Redis be away, or those that know no more.
	s.opts.Bus.Disconnect(wireOptions(to, socketio.Flags{}), true)
	elsewhere := make(chan int, 1)
	s.crew.Run(func() { elsewhere <- s.aliveElsewhere(bounded, to) })
	here := len(s.probe(ctx, s.suspects(to)))
	if here >= others || here+<-elsewhere >= others {
		return true
	}
	<-bounded.Done()
	return false
}

// aliveElsewhere counts the user's sockets that answer other pods. Those say so
// once they know it of each of theirs; of one that is silent nothing is known.
func (s *Server) aliveElsewhere(ctx context.Context, to socketio.Audience) int {
	sockets, err := s.opts.Bus.Sockets(ctx, wireOptions(to, socketio.Flags{}))
	if err != nil {
		s.opts.Logger.Debug("other pods did not say who is alive", "err", err)
	}
	return len(sockets)
}

// suspects are the sockets a probe is for; clients of protocol 3, which a server
// cannot ask, are among them.
func (s *Server) suspects(to socketio.Audience) []*member {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	for _, name := range to.Rooms {
		user, ok := strings.CutPrefix(name, probeRoom)
		if !ok {
			continue
		}
		var all []*member
		for _, m := range s.index.pick(socketio.Audience{Rooms: []string{userRoom(models.UserID(user))}, Except: to.Except}, nil) {
			if m.phase == live && string(m.user) == user {
				all = append(all, m)
			}
		}
		return all
	}
	return nil
}

// probe returns those that are alive, and ends the others. Where it cannot be
// asked, a socket is taken for alive: its client pings, not we.
func (s *Server) probe(ctx context.Context, suspects []*member) (alive []*member) {
	asked, over := time.Now(), time.NewTimer(probeTime)
	defer over.Stop()
	answers := make(chan *member, len(suspects))
	for _, m := range suspects {
		if !m.session.Ask(func() { answers <- m }) {
			alive = append(alive, m)
		}
	}
	for len(alive) < len(suspects) {
		select {
		case m := <-answers:
			alive = append(alive, m)
		case <-ctx.Done():
			return alive
		case <-over.C:
			return slices.DeleteFunc(suspects, func(m *member) bool {
				silent := !slices.Contains(alive, m) && m.session.LastHeard().Before(asked)
				if silent {
					m.session.Abort(engineio.PingTimeout)
				}
				return silent
			})
		}
	}
	return alive
}
