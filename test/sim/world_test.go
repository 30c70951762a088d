package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"parley/models"
)

// world is everything a history happens in.
type world struct {
	seed     uint64
	adapter  string
	random   *rand.Rand
	logger   *slog.Logger
	memory   *memory
	database *database
	pages    int
	all      []*page // every page there ever was

	mu      sync.Mutex
	pods    []*pod // those that live
	made    int
	sent    []sent
	members []membership
	outages []outage
	stays   map[models.UserID]*pod
	failed  []string // what must never happen, whatever breaks
	senders sync.WaitGroup
	givesUp atomic.Bool // whose message the database did not answer for
}

// sent is a message whose sender was told 201.
type sent struct {
	message models.Message
	at      time.Time // of the answer
	number  int       // by sender and chat
	pod     string    // which took it
}

// membership is a change that was answered.
type membership struct {
	chat       models.ChatID
	user       models.UserID
	added      bool
	asked, did time.Time
}

// outage is when pods could not hear each other.
type outage struct{ from, to time.Time }

func (w *world) outage(from time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outages = append(w.outages, outage{from, time.Now()})
}

func newWorld(p plan, logger *slog.Logger) (*world, error) {
	memory, err := newMemory()
	if err != nil {
		return nil, err
	}
	w := &world{
		seed: p.seed, adapter: p.adapter, random: rand.New(rand.NewPCG(p.seed, 1)), logger: logger, memory: memory, database: newDatabase(p.seed),
		stays: map[models.UserID]*pod{},
	}
	for range p.pods {
		if err := w.addPod(); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *world) addPod() error {
	w.mu.Lock()
	w.made++
	name := fmt.Sprintf("pod%d", w.made)
	w.mu.Unlock()
	p, err := w.newPod(name)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pods = append(w.pods, p)
	return nil
}

// balance is the load balancer: any pod that takes connections.
func (w *world) balance(random *rand.Rand) *pod {
	w.mu.Lock()
	defer w.mu.Unlock()
	var up []*pod
	for _, p := range w.pods {
		p.clients.mu.Lock()
		if !p.clients.refused {
			up = append(up, p)
		}
		p.clients.mu.Unlock()
	}
	if len(up) == 0 {
		return nil
	}
	return up[random.IntN(len(up))]
}

// stay begins a request of the sender's at the pod its kept-alive connection leads
// to, as long as that is up.
func (w *world) stay(from models.UserID, random *rand.Rand) *pod {
	w.mu.Lock()
	p := w.stays[from]
	w.mu.Unlock()
	if p == nil || !p.takes() {
		if p = w.balance(random); p == nil || !p.takes() {
			return nil
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stays[from] = p
	return p
}

// takes begins a request, unless the pod takes none any more; whoever it is
// true for says requests.Done.
func (p *pod) takes() bool {
	p.clients.mu.Lock()
	defer p.clients.mu.Unlock()
	if p.clients.refused {
		return false
	}
	p.requests.Add(1)
	return true
}

// take removes the pod from those that live; nil where there is none.
func (w *world) take(i int) *pod {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pods) == 0 {
		return nil
	}
	i %= len(w.pods)
	p := w.pods[i]
	w.pods = slices.Delete(w.pods, i, i+1)
	return p
}

// bury removes a pod that has died.
func (w *world) bury(p *pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pods = slices.DeleteFunc(w.pods, func(other *pod) bool { return other == p })
}

func (w *world) pod(i int) *pod {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pods) == 0 {
		return nil
	}
	return w.pods[i%len(w.pods)]
}

func (w *world) chat(users ...models.UserID) models.ChatID {
	id := view{database: w.database}.NewChatID()
	w.database.mu.Lock()
	defer w.database.mu.Unlock()
	now := time.Now()
	w.database.chats[id] = models.Chat{ID: id, Participants: users, CreatedAt: now, UpdatedAt: now}
	return id
}

// send posts as a careful client does: with an Idempotency-Key, again and again,
// at any pod, until it is answered. One sender's messages to a chat wait for
// each other.
func (w *world) send(from models.UserID, chat models.ChatID, number int, random *rand.Rand) {
	draft := models.Draft{ChatID: chat, SenderID: from, Text: fmt.Sprintf("%s %d in %s", from, number, chat[len(chat)-2:]), IdempotencyKey: fmt.Sprint(from, chat, number)}
	for range 100 {
		if p := w.stay(from, random); p != nil {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			stop := make(chan struct{})
			go func() { // its connection breaks with the pod
				select {
				case <-p.dead:
					cancel()
				case <-stop:
				}
			}()
			messages, err := p.rooms.Send(ctx, draft)
			close(stop)
			cancel()
			p.requests.Done()
			select {
			case <-p.dead: // whatever it said, nobody heard
				err = errAway
			default:
			}
			if err != nil && (p.struck.Load() || errors.Is(err, models.ErrUnanswered) && w.givesUp.Load()) {
				return // one that does not ask again: what was stored is told all the same
			}
			if err == nil {
				w.mu.Lock()
				w.sent = append(w.sent, sent{messages[0], time.Now(), number, p.name})
				w.mu.Unlock()
				return
			}
			if code := models.CodeOf(err); code == models.CodeNotAParticipant {
				return
			}
		}
		time.Sleep(200*time.Millisecond + time.Duration(random.IntN(300))*time.Millisecond)
	}
	w.fail("%s could not send message %d", from, number)
}

// member adds or removes a user, again and again, until it is answered.
func (w *world) member(chat models.ChatID, by, user models.UserID, add bool, random *rand.Rand) {
	asked := time.Now()
	for range 100 {
		if p := w.stay(by, random); p != nil {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			var err error
			if add {
				_, err = p.rooms.AddParticipant(ctx, by, chat, user)
			} else {
				_, err = p.rooms.RemoveParticipant(ctx, by, chat, user)
			}
			cancel()
			p.requests.Done()
			if err == nil {
				w.mu.Lock()
				w.members = append(w.members, membership{chat, user, add, asked, time.Now()})
				w.mu.Unlock()
				return
			}
		}
		time.Sleep(300 * time.Millisecond)
	}
	w.fail("%s could not be added or removed", user)
}

func (w *world) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = append(w.failed, fmt.Sprintf(format, args...))
}

// close stops everything, in an order in which nothing has to wait.
func (w *world) close() {
	for _, p := range w.all {
		p.cancel()
		<-p.done
	}
	time.Sleep(time.Second)
	for p := w.take(0); p != nil; p = w.take(0) {
		if err := p.stop(); err != nil {
			w.fail("stop: %v", err)
		}
	}
	w.memory.mini.Close()
}
