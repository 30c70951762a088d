package models

import "time"

// Device is what a socket's client is known by, as far as it is.
type Device struct {
	// Protocol is Engine.IO's, 3 or 4; 0 where nothing is known.
	Protocol int
	Agent    string // as a browser calls itself
	Addr     string // where it came from
}

// Like says whether both may be the same client: what is known of both agrees,
// but for the address, which changes on the way.
func (d Device) Like(o Device) bool {
	return d.Protocol == 0 || o.Protocol == 0 || d.Protocol == o.Protocol && d.Agent == o.Agent
}

// Vacancy is a socket that left while others of its user stayed, for who comes in
// its place and cannot say what it had.
type Vacancy struct {
	Absence
	SocketID SocketID
	Device   Device
	// Session is what its client can come back to by itself; then nobody else does.
	Session SessionID
}

// leftTogether is how far apart sockets may have left to be told apart no more: which
// of them somebody follows is not known.
const leftTogether = time.Second

// Followed is which of the vacancies a client takes that comes from there: of those
// it can be, what the last was; of several that left together, what the first of them
// had, and the last is taken, so that who follows later has no more. ok is false where
// there is none.
func Followed(all []Vacancy, by Device) (had Absence, taken SocketID, ok bool) {
	var last Vacancy
	for _, v := range all {
		if v.Device.Like(by) && (!ok || by.nearer(v, last)) {
			last, ok = v, true
		}
	}
	had = last.Absence
	for _, v := range all {
		same := v.Device.Like(by) && (v.Device.Protocol == 0) == (last.Device.Protocol == 0) && (v.Device.Addr == by.Addr) == (last.Device.Addr == by.Addr)
		if same && v.Heard.Before(had.Heard) && last.Since.Sub(v.Since) <= leftTogether {
			had = v.Absence
		}
	}
	return had, last.SocketID, ok
}

// nearer says whether a client is rather what v was than what o was: of what is
// known, from the same address, and left last.
func (d Device) nearer(v, o Vacancy) bool {
	if known := v.Device.Protocol != 0; known != (o.Device.Protocol != 0) {
		return known
	}
	if same := v.Device.Addr == d.Addr; same != (o.Device.Addr == d.Addr) {
		return same
	}
	return v.Since.After(o.Since)
}
