package hub

import (
	"slices"
	"strings"

	"parley/adapters/socketio"
	"parley/models"
)

// A client comes back to where it was by two things stock clients keep: the pid
// their CONNECT was answered with, and the offset, the text that came last in
// the last event they got. Ours is the id of a new_message, appended to it for
// clients alone: other pods append their own.

// sessionRoom names whoever holds a session in requests to other pods. Nobody
// is in a room of that name, so that it shows up nowhere.
const sessionRoom = "parley:session:"

// Resumes is the session the client names, if it is one of the user the socket
// was identified as, and the last message it says it was sent.
func (d *Door) Resumes() (session models.SessionID, offset string, ok bool) {
	m := d.m
	if !m.mayReturn() {
		return "", "", false
	}
	auth, _ := m.socket.Auth().(map[string]any)
	pid, _ := auth["pid"].(string)
	offset, _ = auth["offset"].(string)
	m.server.index.mu.Lock()
	user := m.user
	m.server.index.mu.Unlock()
	session, ok = models.ParseSessionID(pid, user, m.server.opts.Now())
	return session, offset, ok
}

// mayReturn says whether the client can come back to where it was.
func (m *member) mayReturn() bool { return m.server.opts.Recovery && m.session.Protocol() != 3 }

// Resume lets the socket go on with the session its client named; the client
// sees socket.recovered.
func (d *Door) Resume() {
	session, _, ok := d.Resumes()
	if !ok {
		return
	}
	x := d.m.server.index
	x.mu.Lock()
	defer x.mu.Unlock()
	if d.m.phase == atDoor {
		x.hold(d.m, session)
	}
}

// Part cuts off the sockets that hold the session, here and on the other pods.
func (s *Server) Part(session models.SessionID, except models.SocketID) {
	to := socketio.Audience{Rooms: []string{sessionRoom + string(session)}, Except: []string{string(except)}}
	s.disconnectLocal(to, true)
	s.opts.Bus.Disconnect(wireOptions(to, socketio.Flags{}), true)
}

// hold makes the session the member's; it needs x.mu.
func (x *index) hold(m *member, session models.SessionID) {
	x.release(m)
	m.resume = session
	x.sessions[session] = append(x.sessions[session], m)
}

func (x *index) release(m *member) {
	if m.resume == "" {
		return
	}
	holders := slices.DeleteFunc(x.sessions[m.resume], func(other *member) bool { return other == m })
	if len(holders) == 0 {
		delete(x.sessions, m.resume)
	} else {
		x.sessions[m.resume] = holders
	}
}

// holders returns who holds a session the audience names; it needs x.mu.
func (x *index) holders(to socketio.Audience) []*member {
	var all []*member
	spared := func(m *member) bool {
		return slices.ContainsFunc(to.Except, func(id string) bool {
			other := x.members[id]
			return id == m.id || other != nil && other.session == m.session
		})
	}
	for _, name := range to.Rooms {
		session, ok := strings.CutPrefix(name, sessionRoom)
		if !ok {
			continue
		}
		for _, m := range x.sessions[models.SessionID(session)] {
			if !spared(m) {
				all = append(all, m)
			}
		}
	}
	return all
}
