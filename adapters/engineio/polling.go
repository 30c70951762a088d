package engineio

import "net/http"

// polling is a session's transport while it polls; the session's mu guards it.
type polling struct {
	waiting *poll
	leaving chan struct{} // closed by the next poll, where the client is about to leave
	posting *post
	probe   *webSocket
}

// poll is a GET that waits for something to say. Whoever takes it from
// polling.waiting says what, once.
type poll struct {
	said      chan verdict
	amidProbe bool // it is sent home before long
}

// verdict says what becomes of a poll.
type verdict uint8

const (
	verdictWait     verdict = iota
	verdictFlush            // what is queued
	verdictNoop             // 6
	verdictClose            // 1
	verdictRefuse           // 400
	verdictUnknown          // 400, no such session
	verdictMismatch         // 400, it is not polling any more
)

// answer answers the poll that waits, if any does.
func (p *polling) answer(v verdict) {
	if p.waiting != nil {
		p.waiting.said <- v // has room for one
		p.waiting = nil
	}
}

// flush has the waiting poll take what is queued. It needs s.mu.
func (p *polling) flush(s *Session) {
	if len(s.queue.frames) > 0 || s.state == closing {
		p.answer(verdictFlush)
	}
}

// end lets everything go that is the transport's: it has ended, or was replaced.
func (p *polling) end(v verdict) {
	p.answer(v)
	if p.posting != nil {
		p.posting.cut()
	}
	if p.probe != nil {
		p.probe.interrupt()
	}
}

// over says why a request for s is too late; verdictWait if it is not. It needs
// s.mu.
func (s *Session) over() verdict {
	switch {
	case s.state == closed:
		return verdictUnknown
	case s.poll == nil:
		return verdictMismatch
	}
	return verdictWait
}

// servePolling serves a request of a session that polls.
func (s *Server) servePolling(w http.ResponseWriter, r *http.Request, session *Session) {
	switch r.Method {
	case http.MethodGet:
		s.serveGet(w, r, session)
	case http.MethodPost:
		s.servePost(w, r, session)
	default:
		w.WriteHeader(http.StatusBadRequest)
	}
}

// dismiss answers with the status alone, or with what was wrong.
func (s *Server) dismiss(w http.ResponseWriter, v verdict) {
	switch v {
	case verdictUnknown:
		s.refuse(w, unknownSession)
	case verdictMismatch:
		s.refuse(w, badRequest)
	default:
		w.WriteHeader(http.StatusBadRequest)
	}
}
