package engineio

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

func (s *Server) serveGet(w http.ResponseWriter, r *http.Request, session *Session) {
	// A read deadline of the HTTP server would end the poll that waits.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	v, p := session.beginPoll()
	if v == verdictWait {
		var home <-chan time.Time
		if p.amidProbe {
			home = time.After(session.server.pollAmidProbe)
		}
		select {
		case v = <-p.said:
		case <-home:
			session.sendPollsHome()
			v = <-p.said
		case <-r.Context().Done():
			if session.abandon(p) {
				return // there is nobody to answer
			}
			v = <-p.said
		}
	}
	var frames []*Frame
	switch v {
	case verdictFlush:
		frames = session.takeForPoll()
	case verdictNoop:
		frames = []*Frame{noopPacket}
	case verdictClose:
		frames = []*Frame{closePacket}
	default:
		s.dismiss(w, v)
		return
	}
	if err := s.answer(w, r, session, frames); err != nil {
		session.fail(TransportError, err)
	}
}

// beginPoll says what becomes of a GET. That it came says that the answer to the
// one before it has arrived.
func (s *Session) beginPoll() (verdict, *poll) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.over(); v != verdictWait {
		return v, nil
	}
	if s.poll.waiting != nil {
		s.end(TransportError, errPollOverlap)
		return verdictRefuse, nil
	}
	s.queue.confirm()
	if s.poll.leaving != nil {
		defer close(s.poll.leaving)
		s.poll.leaving = nil
	}
	if len(s.queue.frames) > 0 || s.state == closing {
		return verdictFlush, nil
	}
	s.poll.waiting = &poll{said: make(chan verdict, 1)}
	s.poll.waiting.amidProbe = s.poll.probe != nil && s.poll.probe.probe.answered
	return verdictWait, s.poll.waiting
}

// abandon ends the session of a poll its client gave up, as Node does, unless it
// has just been answered.
func (s *Session) abandon(p *poll) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.poll == nil || s.poll.waiting != p {
		return false
	}
	s.poll.waiting = nil
	s.end(TransportError, errPollGone)
	return true
}

// takeForPoll takes what the answer to a poll has to say, and ends a session that
// was to be closed after it.
func (s *Session) takeForPoll() []*Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == closed {
		return []*Frame{closePacket}
	}
	if s.poll == nil { // upgraded in between
		return []*Frame{noopPacket}
	}
	q := &s.queue
	frames := slices.Clone(q.frames)
	q.out = append(q.out, frames...)
	clear(q.frames)
	if q.frames = q.frames[:0]; cap(q.frames) > keep {
		q.frames = nil
	}
	switch {
	case slices.ContainsFunc(frames, talks):
		// A goodbye is for the poll after that. A stock client hands messages on a turn
		// later than it heeds a goodbye of the same answer, and keeps them then, without
		// their offset, for when it is back: they would be sent again.
	case s.state == closing:
		frames = append(frames, closePacket)
		s.end(s.reason, nil)
	case len(frames) == 0:
		frames = append(frames, noopPacket)
	}
	return frames
}

// talks is true of what is not Engine.IO's own.
func talks(f *Frame) bool { return !f.own }

// answer writes frames as the answer to a poll.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, session *Session, frames []*Frame) error {
	body, text := encodePayload(session, frames)
	h := w.Header()
	if text {
		h.Set("Content-Type", "text/plain; charset=UTF-8")
	} else {
		h.Set("Content-Type", "application/octet-stream")
	}
	if least := s.opts.CompressAbove; slices.ContainsFunc(frames, talks) && least >= 0 && len(body) >= least && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		if packed, err := pack(body); err == nil {
			body = packed
			h.Set("Content-Encoding", "gzip")
		}
	}
	return s.reply(w, http.StatusOK, body)
}

func encodePayload(s *Session, frames []*Frame) (body []byte, text bool) {
	frames = lastNote(frames)
	if s.protocol == 4 {
		return encodeV4(frames), true
	}
	return encodeV3(frames, s.base64)
}

// lastNote leaves out all notes but the last.
func lastNote(frames []*Frame) []*Frame {
	isNote := func(f *Frame) bool { return f.note }
	if !slices.ContainsFunc(frames, isNote) {
		return frames
	}
	kept := make([]*Frame, 0, len(frames))
	noted := false
	for _, f := range slices.Backward(frames) {
		if f.note && noted {
			continue
		}
		noted = noted || f.note
		kept = append(kept, f)
	}
	slices.Reverse(kept)
	return kept
}

// reply writes an answer out. A client that does not take it is not waited for
// without end.
func (s *Server) reply(w http.ResponseWriter, status int, body []byte) error {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("Cache-Control", "no-store")
	ctl := http.NewResponseController(w)
	limited := ctl.SetWriteDeadline(time.Now().Add(s.opts.IOTimeout)) == nil
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		return err
	}
	if !limited {
		return nil
	}
	if err := ctl.Flush(); err != nil {
		return err
	}
	return ctl.SetWriteDeadline(time.Time{})
}

var packers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }} // they are large

func pack(body []byte) ([]byte, error) {
	w, _ := packers.Get().(*gzip.Writer)
	defer packers.Put(w)
	var packed bytes.Buffer
	w.Reset(&packed)
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
