package redis

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/models"
)

// elsewhere answers for the pods that are not Parley's.
type elsewhere struct {
	mu     sync.Mutex
	alive  map[models.SocketID]bool
	silent bool
	asked  map[models.SocketID]int
	gone   []models.Stranger
	left   []int
}

func (e *elsewhere) answered(_ context.Context, ids []models.SocketID) ([]models.SocketID, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var have []models.SocketID
	for _, id := range ids {
		e.asked[id]++
		if e.alive[id] {
			have = append(have, id)
		}
	}
	if e.silent {
		return have, errors.New("one did not answer")
	}
	return have, nil
}

func (e *elsewhere) wasGone() []models.Stranger {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.gone)
}

func (e *elsewhere) questions(id models.SocketID) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked[id]
}

func (e *elsewhere) change(fn func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fn()
}

const strangerTTL = 1500 * time.Millisecond

func TestStrangersGo(t *testing.T) {
	for name, start := range map[string]func(*testing.T) string{
		"one server": func(t *testing.T) string { return startServer(t).url() },
		"a cluster":  func(t *testing.T) string { return startCluster(t).url() + "?cluster=true" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := open(t, start(t))
			ctx := context.Background()
			a, b := startPod(t, client, "a"), startPod(t, client, "b")
			e := &elsewhere{alive: map[models.SocketID]bool{"desktop": true}, asked: map[models.SocketID]int{}, silent: true}
			search := func(pod *pod, id string) (stop func()) {
				s := NewStrangers(StrangersOptions{
					Client: client, PodID: id, TTL: strangerTTL, Answered: e.answered, Own: pod.Has,
					OnGone: func(_ context.Context, gone models.Stranger, left int) {
						e.change(func() { e.gone, e.left = append(e.gone, gone), append(e.left, left) })
					},
				})
				running, cancel := context.WithCancel(ctx)
				done := make(chan error, 1)
				go func() { done <- s.Run(running) }()
				return sync.OnceFunc(func() {
					cancel()
					if err := <-done; err != nil {
						t.Error(err)
					}
				})
			}
			stopA, stopB := search(a, "a"), search(b, "b")
			t.Cleanup(stopA)
			t.Cleanup(stopB)

			a.mustAdd(t, "ann", "a1")
			b.mustAdd(t, "bob", "b1")
			for user, sockets := range map[models.UserID][]any{"ann": {"ghost"}, "bob": {"desktop"}, "carl": {"ghost2"}} {
				if err := client.SAdd(ctx, userKey(user), sockets...).Err(); err != nil {
					t.Fatal(err)
				}
			}
			if err := client.Set(ctx, "user:odd:sockets", "no set", 0).Err(); err != nil {
				t.Fatal(err)
			}

			// While a pod does not answer nobody goes, however often they are asked about.
			began := time.Now()
			await(t, "many questions", func() bool {
				return e.questions("ghost") > strangerLooks && e.questions("ghost2") > strangerLooks && time.Since(began) > strangerTTL
			})
			if gone := e.wasGone(); len(gone) != 0 {
				t.Fatalf("%v went although nobody could tell", gone)
			}

			answering := time.Now()
			e.change(func() { e.silent = false })
			await(t, "the ghosts to go", func() bool { return len(e.wasGone()) == 2 })
			if waited := time.Since(answering); waited < strangerTTL {
				t.Errorf("gone after %v", waited)
			}
			for i, gone := range e.wasGone() {
				want := map[models.UserID]int{"ann": 1, "carl": 0}
				if left, ok := want[gone.UserID]; !ok || e.left[i] != left || !gone.Answered.IsZero() {
					t.Errorf("told of %+v, %d left", gone, e.left[i])
				}
			}
			if m := members(t, client, "ann"); !slices.Equal(m, []string{"a1"}) {
				t.Errorf("ann has %v", m)
			}
			if m := members(t, client, "bob"); !slices.Equal(m, []string{"b1", "desktop"}) {
				t.Errorf("bob has %v", m)
			}
			for _, ours := range []models.SocketID{"a1", "b1"} {
				if n := e.questions(ours); n != 0 {
					t.Errorf("%d questions about one of ours", n)
				}
			}
			if n := e.questions("desktop"); n > 2*strangerLooks+2 {
				t.Errorf("%d questions about one that was answered for", n)
			}

			// The pod of the desktop dies, and the one that looks for strangers stops.
			lookedAt := time.Now()
			e.change(func() { e.alive = nil })
			stopA()
			await(t, "the desktop to go", func() bool { return len(e.wasGone()) == 3 })
			if gone := e.wasGone()[2]; gone.SocketID != "desktop" || gone.Answered.After(lookedAt.Add(time.Second)) {
				t.Errorf("%+v", gone)
			}
			if m := members(t, client, "bob"); !slices.Equal(m, []string{"b1"}) {
				t.Errorf("bob has %v", m)
			}
		})
	}
}

// One that is answered for again begins anew.
func TestAStrangerThatAnswersLateStays(t *testing.T) {
	t.Parallel()
	now := time.Now()
	e := &elsewhere{alive: map[models.SocketID]bool{}, asked: map[models.SocketID]int{}}
	client := open(t, startServer(t).url())
	client.SAdd(context.Background(), userKey("bob"), "s")
	s := NewStrangers(StrangersOptions{
		Client: client, PodID: "a", TTL: time.Minute, Answered: e.answered, Own: func(models.SocketID) bool { return false },
		Now: func() time.Time { return now },
	})
	round := 0
	look := func(after time.Duration) {
		t.Helper()
		now = now.Add(after)
		round++
		if err := s.round(context.Background(), round); err != nil {
			t.Fatal(err)
		}
	}
	there := func() bool { return client.SIsMember(context.Background(), userKey("bob"), "s").Val() }
	look(0)
	e.alive["s"] = true
	look(50 * time.Second)
	if st := s.known["s"]; !st.Answered.Equal(now) {
		t.Errorf("%+v", st)
	}
	delete(e.alive, "s")
	look(time.Hour)
	e.silent = true
	now = now.Add(50 * time.Second)
	if err := s.round(context.Background(), round); err == nil {
		t.Error("a round that nobody answered")
	}
	e.silent = false
	look(time.Second) // more than a minute after it was first not answered for, but somebody was silent meanwhile
	look(59 * time.Second)
	if !there() {
		t.Fatal("gone too early")
	}
	look(2 * time.Second)
	if there() {
		t.Error("still there")
	}
}
