package sim

import (
	"fmt"
	"slices"
	"time"

	"parley/models"
)

// stay is the time a page had a connection that worked; to is zero while it does.
type stay struct{ from, to time.Time }

func (s stay) holds(from, to time.Time) bool {
	return !s.from.After(from) && (s.to.IsZero() || s.to.After(to))
}

const (
	// toldWithin is how long it may take, whatever breaks, until others know of one who
	// has left for good: a pod that dies with them, and its finder too.
	toldWithin = 2 * presenceTTL
	// moment is how long an announcement may be on its way.
	moment = 2 * time.Second
)

// staysOf are the times a user was there with any page, joined where they overlap.
func (w *world) staysOf(u models.UserID) (all []stay) {
	var each []stay
	for _, p := range w.all {
		if p.user == u {
			each = append(each, p.stays...)
		}
	}
	slices.SortFunc(each, func(a, b stay) int { return a.from.Compare(b.from) })
	for _, s := range each {
		last := len(all) - 1
		switch {
		case last < 0 || !all[last].to.IsZero() && all[last].to.Before(s.from):
			all = append(all, s)
		case s.to.IsZero() || !all[last].to.IsZero() && all[last].to.Before(s.to):
			all[last].to = s.to
		}
	}
	return all
}

// announced holds what pages were told of who comes and goes against who was there.
func (w *world) announced(now time.Time) (faults []fault) {
	for _, u := range w.usersSorted() {
		stays := w.staysOf(u)
		for _, p := range w.all {
			if p.user == u {
				continue
			}
			faults = append(faults, p.toldTooMuch(u, stays)...)
			for i := range stays {
				faults = append(faults, p.toldTooLittle(u, stays, i, now)...)
			}
		}
	}
	return faults
}

// toldTooMuch finds absences the page was told of twice, and those that were none.
func (p *page) toldTooMuch(u models.UserID, stays []stay) (faults []fault) {
	times := map[int]int{} // by the stay that ended, how often that was told
	for _, a := range p.told {
		if a.user != u || a.online {
			continue
		}
		ended := -1
		for i, s := range stays {
			if !s.to.IsZero() && !s.to.After(a.at) {
				ended = i
			}
		}
		if times[ended]++; ended >= 0 && times[ended] > 1 {
			faults = append(faults, fault{"offline twice", fmt.Sprintf("%s was told again at %s that %s is offline, who left at %s", p.name, clock(a.at), u, clock(stays[ended].to))})
		}
		soon := a.at.Add(moment)
		there := slices.ContainsFunc(stays, func(s stay) bool { return s.holds(a.at.Add(-moment), soon) })
		if there && p.watches(a.at, soon) && !p.knows(u, soon) {
			faults = append(faults, fault{"wrongly offline", fmt.Sprintf("%s was told at %s that %s is offline, who was there", p.name, clock(a.at), u)})
		}
	}
	return faults
}

// toldTooLittle finds out whether the page, while it watched, was not told that
// the user's stay has ended, or begun after an absence it was told of.
func (p *page) toldTooLittle(u models.UserID, stays []stay, i int, now time.Time) (faults []fault) {
	s := stays[i]
	end := s.to.Add(toldWithin)
	gone := !s.to.IsZero() && s.to.Sub(s.from) > moment && !end.After(now) && (i+1 == len(stays) || stays[i+1].from.After(end))
	if gone && p.watches(s.to, end) && !slices.ContainsFunc(p.told, func(a announcement) bool {
		return a.user == u && !a.online && a.at.After(s.to) && !a.at.After(end)
	}) {
		faults = append(faults, fault{"never offline", fmt.Sprintf("%s was not told that %s has left at %s", p.name, u, clock(s.to))})
	}
	soon := s.from.Add(toldWithin)
	if i > 0 && !soon.After(now) && s.holds(s.from, soon) && p.watches(stays[i-1].to, soon) && !p.knows(u, soon) {
		faults = append(faults, fault{"never online", fmt.Sprintf("%s was not told that %s is back since %s", p.name, u, clock(s.from))})
	}
	return faults
}

func clock(t time.Time) string { return t.Format("05.000") }

// knows says whether what the page was told last of the user by then is not that
// they are offline.
func (p *page) knows(u models.UserID, at time.Time) bool {
	online := true
	for _, a := range p.told {
		if a.user == u && !a.at.After(at) {
			online = a.online
		}
	}
	return online
}

// watches says whether the page had one connection all that time.
func (p *page) watches(from, to time.Time) bool {
	return slices.ContainsFunc(p.stays, func(s stay) bool { return s.holds(from, to) })
}

// begins and ends are a page's stay.
func (p *page) begins() {
	p.stays = append(p.stays, stay{from: time.Now()})
}

func (p *page) ends() {
	if last := len(p.stays) - 1; last >= 0 && p.stays[last].to.IsZero() {
		p.stays[last].to = time.Now()
	}
}
