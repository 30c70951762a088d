package engineio

import (
	"io"
	"iter"
	"net/http"
	"time"
)

// post is a POST whose body is on its way, or is worked on. The session's mu
// guards it.
type post struct {
	ctl     *http.ResponseController
	arrived bool
	isCut   bool
}

// cut makes reading a body that is still on its way fail; as Node, that one is
// not answered.
func (p *post) cut() {
	if !p.arrived && !p.isCut {
		p.isCut = p.ctl.SetReadDeadline(time.Unix(1, 0)) == nil
	}
}

func (s *Server) servePost(w http.ResponseWriter, r *http.Request, session *Session) {
	binary := r.Header.Get("Content-Type") == "application/octet-stream"
	p := &post{ctl: http.NewResponseController(w)}
	if v := session.beginPost(p, binary, time.Now().Add(s.opts.IOTimeout)); v != verdictWait {
		s.dismiss(w, v)
		return
	}
	limit := s.opts.MaxPayload
	if r.ContentLength > limit {
		session.endPost(p)
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if session.arrived(p) {
		hangUp(w, p.ctl)
		return
	}
	_ = p.ctl.SetReadDeadline(time.Time{})
	status := http.StatusOK
	switch {
	case err != nil:
		session.fail(TransportError, errPostGone)
		status = http.StatusBadRequest
	case int64(len(body)) > limit:
		status = http.StatusRequestEntityTooLarge
	case !session.accept(body, binary):
		status = http.StatusBadRequest
	}
	// The client may post again as soon as it has the answer.
	session.endPost(p)
	if status != http.StatusOK {
		w.WriteHeader(status)
		return
	}
	// text/html keeps some browsers from offering the answer as a download.
	w.Header().Set("Content-Type", "text/html")
	_ = s.reply(w, status, []byte("ok"))
}

// hangUp closes the connection in place of an answer, where it is this request's
// alone.
func hangUp(w http.ResponseWriter, ctl *http.ResponseController) {
	conn, _, err := ctl.Hijack()
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_ = conn.Close()
}

// beginPost says what becomes of a POST; verdictWait lets it be read.
func (s *Session) beginPost(p *post, binary bool, deadline time.Time) verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.over(); v != verdictWait {
		return v
	}
	switch {
	case s.poll.posting != nil:
		s.end(TransportError, errPostOverlap)
		return verdictRefuse
	case binary && s.protocol == 4:
		s.end(TransportError, errContent)
		return verdictRefuse
	}
	// Set under mu, so that it cannot undo a cut.
	_ = p.ctl.SetReadDeadline(deadline)
	s.poll.posting = p
	return verdictWait
}

// arrived notes that the body is there, or says that it was cut.
func (s *Session) arrived(p *post) (isCut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.arrived = true
	return p.isCut
}

func (s *Session) endPost(p *post) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.poll != nil && s.poll.posting == p {
		s.poll.posting = nil
	}
}

// accept takes the packets of a body; false says that it is not one. Each is
// read when the one before it was dealt with: together they are a hundred times
// the body, if they are small.
func (s *Session) accept(body []byte, binary bool) bool {
	s.turn.Lock()
	defer s.turn.Unlock()
	for p, err := range s.packets(body, binary) {
		switch {
		case err != nil:
			s.fail(ParseError, err)
			return false
		case p.kind == packetClose:
			s.leave()
			return true
		}
		s.receive(p)
	}
	return true
}

// leaveTime is how long a client that leaves is waited for with its poll.
const leaveTime = 50 * time.Millisecond

// leave ends the session as its client wishes. Its poll is told, also one that
// was sent along with the wish and is read a moment later.
func (s *Session) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.poll != nil && s.poll.waiting == nil {
		polled := make(chan struct{})
		s.poll.leaving = polled
		s.mu.Unlock()
		select {
		case <-polled:
		case <-time.After(leaveTime):
		}
		s.mu.Lock()
	}
	s.endPolling(TransportClose, nil, verdictNoop)
}

func (s *Session) packets(body []byte, binary bool) iter.Seq2[packet, error] {
	switch {
	case s.protocol == 4:
		return packetsV4(body)
	case binary:
		return packetsV3(body)
	}
	return textPacketsV3(body)
}
