package sim

import (
	"cmp"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"parley/models"
)

// kind is something that can happen besides messages.
type kind string

// What can happen.
const (
	resets     kind = "resets"     // connections of pages break
	vanishings kind = "vanishings" // … without a word
	reloads    kind = "reloads"    // a page is loaded anew
	aways      kind = "aways"      // a page is closed, and another opened later
	killedPod  kind = "pod killed"
	rolling    kind = "pod restarted"
	cutOff     kind = "pod cut off" // from Redis
	pausedRed  kind = "redis paused"
	killedRed  kind = "redis killed" // and forgets everything
	awayMongo  kind = "mongo away"
	stuckMongo kind = "mongo stuck"        // in the middle of storing a message
	membersIO  kind = "members"            // are removed and added
	killedMid  kind = "pod killed storing" // when a message is stored, and before it is told
	slow       kind = "slow"               // a page reads nothing for a while
)

var kinds = []kind{resets, vanishings, reloads, aways, killedPod, rolling, cutOff, pausedRed, killedRed, awayMongo, stuckMongo, membersIO, killedMid, slow}

// step is one thing that happens.
type step struct {
	at   time.Duration
	kind kind
	n    int           // which page, pod or user; of a stuck database, whether senders ask again
	d    time.Duration // for how long
}

// plan is a history before it happens. It can be written down, and read again.
type plan struct {
	seed    uint64
	users   int
	pods    int
	length  time.Duration
	every   time.Duration // between two messages of one sender
	adapter string        // one of adapters; empty for the first
	steps   []step
}

// newPlan makes a history in which only those kinds happen.
func newPlan(seed uint64, of []kind) plan {
	r := rand.New(rand.NewPCG(seed, 2))
	p := plan{seed: seed, users: 4 + r.IntN(3), pods: 2 + r.IntN(2), length: *length, every: time.Duration(40+r.IntN(400)) * time.Millisecond}
	for _, k := range of {
		for range 1 + r.IntN(4) {
			s := step{at: time.Duration(r.Int64N(int64(p.length))).Truncate(time.Millisecond), kind: k, n: r.IntN(1000)}
			switch k {
			case slow:
				s.d = time.Duration(100+r.IntN(12000)) * time.Millisecond
			case aways:
				s.d = time.Duration(100+r.IntN(10000)) * time.Millisecond
				if s.n/10%4 == 0 { // and some until everybody must know
					s.d += toldWithin
				}
			case killedPod, rolling, killedMid:
				s.d = time.Duration(500+r.IntN(4000)) * time.Millisecond
			case cutOff, pausedRed, killedRed, awayMongo, stuckMongo:
				s.d = time.Duration(50+r.IntN(4000)) * time.Millisecond
			default:
			}
			p.steps = append(p.steps, s)
		}
	}
	slices.SortFunc(p.steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	return p
}

// settled is how long a world is left alone before it is judged.
const settled = 32 * time.Second

// run lets the history happen and says what was wrong with it.
func (p plan) run(logger *slog.Logger) ([]fault, error) {
	w, err := newWorld(p, logger)
	if err != nil {
		return nil, err
	}
	time.Sleep(2 * time.Second) // the pods find each other
	h := &happening{world: w, plan: p}
	for i := range p.users {
		h.users = append(h.users, models.UserID(fmt.Sprintf("user%d", i)))
	}
	// Everybody is in both; of the second, members come and go.
	h.chats = []models.ChatID{w.chat(h.users...), w.chat(h.users...)}
	for i, u := range h.users {
		h.open = append(h.open, w.open(u, i%3 != 2))
	}
	time.Sleep(3 * time.Second)
	began := time.Now()
	h.until = began.Add(p.length)
	for i, u := range h.users[:2] {
		for j, c := range h.chats {
			w.senders.Go(func() { h.talk(u, c, uint64(2*i+j)) })
		}
	}
	for _, s := range p.steps {
		time.Sleep(time.Until(began.Add(s.at)))
		h.happen(s)
	}
	time.Sleep(time.Until(h.until))
	h.ends.Wait()
	w.senders.Wait()
	time.Sleep(settled)
	faults := h.leave()
	faults = append(faults, w.check()...)
	w.close()
	for _, f := range w.failed {
		faults = append(faults, fault{what: "failed", why: f})
	}
	return faults, nil
}
