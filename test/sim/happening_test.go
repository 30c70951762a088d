package sim

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"parley/models"
)

// happening is a history while it happens.
type happening struct {
	world *world
	plan  plan
	users []models.UserID
	chats []models.ChatID
	open  []*page // each user's
	until time.Time
	ends  sync.WaitGroup // of what lasts

	mu   sync.Mutex
	busy map[string]bool // pages and members that are being changed
}

// talk sends until the time is over.
func (h *happening) talk(u models.UserID, c models.ChatID, n uint64) {
	r := rand.New(rand.NewPCG(h.plan.seed, 100+n))
	for i := 0; time.Now().Before(h.until); i++ {
		h.world.send(u, c, i, r)
		time.Sleep(h.plan.every/2 + time.Duration(r.Int64N(int64(h.plan.every))))
	}
}

// begin claims something that only one step may change at a time.
func (h *happening) begin(what string) (end func(), ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.busy[what] {
		return nil, false
	}
	if h.busy == nil {
		h.busy = map[string]bool{}
	}
	h.busy[what] = true
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.busy, what)
	}, true
}

// lasts runs what takes its time, while other things happen.
func (h *happening) lasts(what string, fn func()) {
	end, ok := h.begin(what)
	if !ok {
		return
	}
	h.ends.Go(func() {
		defer end()
		fn()
	})
}

func (h *happening) happen(s step) {
	w := h.world
	i := s.n % len(h.open)
	switch s.kind {
	case resets:
		h.page(i).reset()
	case vanishings:
		h.page(i).vanish()
	case reloads:
		h.lasts(fmt.Sprint("page ", i), func() { h.replace(i, 0) })
	case aways:
		h.lasts(fmt.Sprint("page ", i), func() { h.replace(i, s.d) })
	case killedPod:
		h.lasts("pods", func() {
			if p := w.take(s.n); p != nil {
				h.unknowable(p)
				p.kill()
				time.Sleep(s.d)
				h.again()
			}
		})
	case killedMid:
		h.lasts("pods", func() { h.killStoring(s) })
	case slow:
		h.page(i).stall(s.d)
	case rolling:
		h.lasts("pods", func() {
			if p := w.take(s.n); p != nil {
				if err := p.stop(); err != nil {
					w.logger.Warn("stopped late", "error", err)
				}
				time.Sleep(s.d / 10)
				h.again()
			}
		})
	case cutOff:
		if p := w.pod(s.n); p != nil {
			h.lasts("way to redis", func() {
				began := time.Now()
				defer w.outage(began)
				p.redis.hold(true)
				time.Sleep(s.d)
				p.redis.hold(false)
				p.mu.Lock()
				p.cuts = append(p.cuts, outage{began, time.Now()})
				p.mu.Unlock()
			})
		}
	case pausedRed, killedRed:
		h.lasts("redis", func() { h.redis(s) })
	case awayMongo:
		h.lasts("mongo", func() {
			w.database.setAway(true)
			time.Sleep(s.d)
			w.database.setAway(false)
		})
	case stuckMongo:
		h.lasts("mongo", func() {
			w.givesUp.Store(s.n%2 == 0)
			w.database.stick()
			time.Sleep(s.d)
			w.database.setAway(false)
		})
	case membersIO:
		h.lasts(fmt.Sprint("member ", 2+s.n%(len(h.users)-2)), func() { h.outAndIn(s) })
	}
}

// killStoring has a pod die as soon as it has stored a message, if it does so soon.
func (h *happening) killStoring(s step) {
	p := h.world.pod(s.n)
	if p == nil {
		return
	}
	p.armed.Store(true)
	select {
	case <-p.dead:
	case <-time.After(3 * time.Second):
		if p.armed.CompareAndSwap(true, false) {
			return
		}
	}
	h.unknowable(p)
	h.world.bury(p)
	p.kill()
	time.Sleep(s.d)
	h.again()
}

func (h *happening) page(i int) *page {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open[i]
}

// replace closes a page and opens the user's next after a while.
func (h *happening) replace(i int, away time.Duration) {
	old := h.page(i)
	old.close()
	time.Sleep(away + time.Duration(old.random.IntN(300))*time.Millisecond)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open[i] = h.world.open(old.user, old.modern)
}

// unknowable is for what breaks all connections to a pod at once. Those to others go
// on, but what comes through them is in doubt as well if its pod is killed in turn
// before it could say more.
func (h *happening) unknowable(at *pod) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.open {
		if p.isOn(at) {
			p.unknowable()
		} else {
			p.doubt()
		}
	}
}

func (h *happening) again() {
	if err := h.world.addPod(); err != nil {
		h.world.fail("another pod: %v", err)
	}
}

// redis stands still, or is gone with all it knew, for all pods alike.
func (h *happening) redis(s step) {
	defer h.world.outage(time.Now())
	h.world.mu.Lock()
	pods := append([]*pod(nil), h.world.pods...)
	h.world.mu.Unlock()
	for _, p := range pods {
		if s.kind == killedRed {
			p.redis.refuse(true)
		} else {
			p.redis.hold(true)
		}
	}
	if s.kind == killedRed {
		h.world.memory.mini.FlushAll()
	}
	time.Sleep(s.d)
	for _, p := range pods {
		select {
		case <-p.dead:
			continue
		default:
		}
		if s.kind == killedRed {
			p.redis.refuse(false)
		} else {
			p.redis.hold(false)
		}
	}
}

// outAndIn removes a member from the second chat and adds it again.
func (h *happening) outAndIn(s step) {
	r := rand.New(rand.NewPCG(h.plan.seed, uint64(s.at)))
	user := h.users[2+s.n%(len(h.users)-2)]
	h.world.member(h.chats[1], h.users[0], user, false, r)
	time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
	h.world.member(h.chats[1], h.users[0], user, true, r)
}

// leave closes all pages, the last when it must know that all others are, and
// looks for ghosts.
func (h *happening) leave() (faults []fault) {
	for _, p := range h.open[1:] {
		p.close()
	}
	time.Sleep(toldWithin + moment)
	h.open[0].close()
	time.Sleep(toldWithin)
	for _, u := range h.users {
		if left, err := h.world.memory.mini.SMembers("user:" + string(u) + ":sockets"); err == nil && len(left) > 0 {
			faults = append(faults, fault{what: "ghost", why: fmt.Sprintf("%s still has %v", u, left)})
		}
	}
	return faults
}
