package hub

import (
	"context"
	"strings"
	"time"

	"parley/adapters/engineio"
	"parley/adapters/socketio"
	"parley/models"
)

// probeRoom names, in requests to other pods, the user whose sockets are to say
// that they are alive. Nobody is in a room of that name, so that it shows up
// nowhere, and pods that do not know it do nothing.
const (
	probeRoom = "parley:probe:"
	aliveRoom = "parley:alive:" // … and which of them have
)

var (
	// When it is looked who has answered; who has not by the last is dead.
	probeLooks = []time.Duration{50 * time.Millisecond, 150 * time.Millisecond, 400 * time.Millisecond, time.Second}
	// When the other pods are asked who has answered them.
	probeAsks = []time.Duration{150 * time.Millisecond, 500 * time.Millisecond}
)

// Probe asks the user's sockets, but for one, on every pod, whether they are
// alive, and ends those that do not say so. It is true, as soon as that is known,
// where so many have; else it returns when all pods are done.
func (s *Server) Probe(ctx context.Context, user models.UserID, except models.SocketID, others int) (alive bool) {
	asked := time.Now()
	to := socketio.Audience{Rooms: []string{probeRoom + string(user)}, Except: []string{string(except)}}
	s.opts.Bus.Disconnect(wireOptions(to, socketio.Flags{}), true)
	here := s.probe(ctx, s.suspects(to, probeRoom))
	if here >= others {
		return true
	}
	for _, at := range probeAsks {
		if left := at - time.Since(asked); left > 0 {
			pause(ctx, left)
			if here+s.aliveElsewhere(ctx, user, except) >= others {
				return true
			}
		}
	}
	pause(ctx, probeLooks[len(probeLooks)-1]-time.Since(asked))
	return false
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// aliveElsewhere counts the user's sockets that have answered other pods, as far
// as those say so in time.
func (s *Server) aliveElsewhere(ctx context.Context, user models.UserID, except models.SocketID) int {
	ctx, cancel := context.WithTimeout(ctx, probeAsks[0])
	defer cancel()
	to := socketio.Audience{Rooms: []string{aliveRoom + string(user)}, Except: []string{string(except)}}
	sockets, err := s.opts.Bus.Sockets(ctx, wireOptions(to, socketio.Flags{}))
	if err != nil {
		s.opts.Logger.Debug("other pods did not say who is alive", "err", err)
	}
	return len(sockets)
}

// suspects are the sockets a probe is for; clients of protocol 3, which a server
// cannot ask, are among them.
func (s *Server) suspects(to socketio.Audience, prefix string) []*member {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	for _, name := range to.Rooms {
		user, ok := strings.CutPrefix(name, prefix)
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

func (s *Server) probe(ctx context.Context, suspects []*member) (alive int) {
	asked := time.Now()
	var silent []*member
	for _, m := range suspects {
		m.probed.Store(asked.UnixNano())
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
			if m.answered() {
				alive++
			} else {
				kept = append(kept, m)
			}
		}
		silent = kept
	}
	for _, m := range silent {
		m.session.Abort(engineio.PingTimeout)
	}
	return alive
}

// answered says whether the client was heard since it was last asked; where it
// cannot be asked it is taken for alive.
func (m *member) answered() bool {
	at := m.probed.Load()
	return at != 0 && (m.session.Protocol() == 3 || m.session.LastHeard().UnixNano() >= at)
}
