package engineio

import (
	"errors"
	"time"
)

// An upgrade: the client opens a WebSocket beside its polls and says 2probe, is
// answered 3probe, while a waiting poll is sent home with a noop, and says 5 once
// no poll of its own is under way. From there on the session is the WebSocket's,
// with everything that is queued. Anything else ends the WebSocket alone.

// probe is a WebSocket that would like to take over a session.
type probe struct {
	limit alarm

	// guarded by the session's mu
	answered bool   // polls are sent home
	failed   Reason // where somebody else gave it up
}

var (
	probePong    = newPacket("3probe")
	errProbe     = errors.New("not what a probe may say")
	errNoUpgrade = errors.New("nothing to upgrade")
)

// beginProbe opens w beside the polls of its session, and serves it.
func (w *webSocket) beginProbe(response []byte) {
	err := w.say(&Frame{form: form{wire: response}})
	if err == nil {
		err = w.session.letProbe(w)
	}
	if err != nil {
		w.endProbe(err)
		return
	}
	w.serve()
}

// letProbe lets w probe s. It returns an error where there is nothing to
// upgrade, or an upgrade is under way.
func (s *Session) letProbe(w *webSocket) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == closed || s.poll == nil || s.poll.probe != nil {
		return errNoUpgrade
	}
	s.poll.probe = w
	w.probe.limit.session = s
	s.server.times.set(&w.probe.limit, s.server.upgrades)
	return nil
}

// upgradeOverdue gives a probe up that has been silent for too long.
func (s *Server) upgradeOverdue(a *alarm) {
	session := a.session
	session.mu.Lock()
	defer session.mu.Unlock()
	if session.poll == nil || session.poll.probe == nil || a != &session.poll.probe.probe.limit {
		return
	}
	session.poll.probe.probe.failed = UpgradeTimeout
	session.poll.probe.interrupt()
}

// probed takes a message of a WebSocket that is not the session's yet.
func (w *webSocket) probed(op byte, data []byte) error {
	p, err := parseFrame(w.session.protocol, op == opBinary, data)
	switch {
	case err != nil:
		return errProbe
	case p.kind == packetPing && string(p.data) == "probe" && !p.binary:
		if err := w.say(probePong); err != nil {
			return err
		}
		w.session.mu.Lock()
		w.probe.answered = true
		w.session.mu.Unlock()
		w.session.sendPollsHome()
		return nil
	case p.kind == packetUpgrade:
		return w.takeOver()
	}
	return errProbe
}

// say writes a frame of a WebSocket that is not the session's yet.
func (w *webSocket) say(f *Frame) error {
	if err := w.write(f.wire, w.server.opts.IOTimeout); err != nil {
		return err
	}
	return w.writesFreely()
}

// probedPollTime is how long a poll that comes after the probe may wait, as in
// Node: the client may be about to say 5.
const probedPollTime = 100 * time.Millisecond

func (s *Session) sendPollsHome() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.poll != nil {
		s.poll.answer(verdictNoop)
	}
}

// takeOver makes w the session's transport.
func (w *webSocket) takeOver() error {
	s := w.session
	s.mu.Lock()
	if s.state == closed || s.poll.probe != w || w.probe.failed != "" {
		s.mu.Unlock()
		return errInterrupted
	}
	s.server.times.cancel(&w.probe.limit)
	s.poll.probe = nil
	s.poll.end(verdictRefuse)
	s.poll, s.socket, w.probe = nil, w, nil
	s.queue.confirm() // the client says 5 when its last poll was answered
	s.server.opts.Metrics.Upgraded()
	s.flush()
	return nil
}

// endProbe says goodbye to a WebSocket that took nothing over.
func (w *webSocket) endProbe(err error) {
	s := w.session
	reason := UpgradeAbandoned
	switch {
	case errors.Is(err, errNoUpgrade):
		reason = UpgradeRefused
	case errors.Is(err, errProbe) || asCloseError(err) != nil:
		reason = UpgradeInvalid
	}
	s.mu.Lock()
	if w.probe.failed != "" {
		reason = w.probe.failed
	}
	s.server.times.cancel(&w.probe.limit)
	if s.poll != nil && s.poll.probe == w {
		s.poll.probe = nil
	}
	s.mu.Unlock()
	s.server.opts.Metrics.UpgradeFailed(reason)
	if errors.Is(err, errProbe) || errors.Is(err, errNoUpgrade) {
		err = errInterrupted
	}
	w.goodbye(err, true)
	w.linger(err, true)
	w.hangUp()
}
