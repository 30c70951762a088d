package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"parley/models"
)

// database stands for MongoDB with majority writes: what it has said it did is
// done, for all pods at once.
type database struct {
	mu        sync.Mutex
	random    *rand.Rand
	away      bool
	sticks    bool     // it is away from the next insert on, which is not answered
	late      []func() // such inserts that are done once it is back
	chats     map[models.ChatID]models.Chat
	messages  []models.Message
	moves     []models.Move
	requests  map[string]models.Request
	absences  map[models.UserID]models.Absence
	online    map[models.UserID]bool
	sessions  map[models.SessionID]models.Session
	ids       int
	installed time.Time
}

func newDatabase(seed uint64) *database {
	return &database{
		random: rand.New(rand.NewPCG(seed, 3)), chats: map[models.ChatID]models.Chat{},
		requests: map[string]models.Request{}, absences: map[models.UserID]models.Absence{}, online: map[models.UserID]bool{},
		sessions: map[models.SessionID]models.Session{}, installed: time.Now(),
	}
}

// view is the database as one pod reaches it.
type view struct {
	*database
	dead   <-chan struct{} // closed with the pod
	stored func()          // called when a message is stored
}

var errAway = errors.New("the database is away")

// do runs fn as one round trip: the request travels, is done, and its answer
// travels back. A pod that dies between the two never hears of it.
func (v view) do(ctx context.Context, fn func()) error {
	if err := v.travel(ctx); err != nil {
		return err
	}
	v.mu.Lock()
	if v.away {
		v.mu.Unlock()
		return models.Unavailable("the database", errAway)
	}
	fn()
	v.mu.Unlock()
	return v.travel(ctx)
}

func (v view) travel(ctx context.Context) error {
	v.mu.Lock()
	d := 100*time.Microsecond + time.Duration(v.random.IntN(2000))*time.Microsecond
	v.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-v.dead:
		return models.Unavailable("the database", errAway)
	case <-ctx.Done():
		return models.Unavailable("the database", ctx.Err())
	}
}

func (v view) Chat(ctx context.Context, id models.ChatID) (c models.Chat, found bool, err error) {
	err = v.do(ctx, func() { c, found = v.chats[id] })
	return c, found, err
}

func (v view) ChatIDsOf(ctx context.Context, users ...models.UserID) (map[models.UserID][]models.ChatID, error) {
	out := map[models.UserID][]models.ChatID{}
	err := v.do(ctx, func() {
		for _, c := range v.chats {
			for _, u := range users {
				if c.Has(u) {
					out[u] = append(out[u], c.ID)
				}
			}
		}
	})
	for _, ids := range out {
		slices.Sort(ids)
	}
	return out, err
}

func (v view) ChatsByID(ctx context.Context, ids []models.ChatID) (out []models.Chat, err error) {
	err = v.do(ctx, func() {
		for _, id := range ids {
			if c, ok := v.chats[id]; ok {
				out = append(out, c)
			}
		}
	})
	return out, err
}

func (v view) SmallChatsOf(ctx context.Context, most int, users ...models.UserID) (out []models.Chat, err error) {
	err = v.do(ctx, func() {
		for _, c := range v.chats {
			if len(c.Participants) <= most && slices.ContainsFunc(users, c.Has) {
				out = append(out, c)
			}
		}
	})
	slices.SortFunc(out, func(a, b models.Chat) int { return cmp.Compare(a.ID, b.ID) })
	return out, err
}

func (v view) CreateChat(ctx context.Context, c models.Chat) error {
	return v.do(ctx, func() { v.chats[c.ID] = c })
}

func (v view) AddParticipant(ctx context.Context, id models.ChatID, user models.UserID, at time.Time) (models.Chat, bool, error) {
	return v.change(ctx, id, func(p []models.UserID) []models.UserID {
		if slices.Contains(p, user) {
			return p
		}
		return append(slices.Clone(p), user)
	}, at)
}

func (v view) RemoveParticipant(ctx context.Context, id models.ChatID, user models.UserID, at time.Time) (models.Chat, bool, error) {
	return v.change(ctx, id, func(p []models.UserID) []models.UserID {
		return slices.DeleteFunc(slices.Clone(p), func(u models.UserID) bool { return u == user })
	}, at)
}

func (v view) change(ctx context.Context, id models.ChatID, f func([]models.UserID) []models.UserID, at time.Time) (c models.Chat, ok bool, err error) {
	err = v.do(ctx, func() {
		if c, ok = v.chats[id]; ok {
			c.Participants, c.UpdatedAt = f(c.Participants), at
			v.chats[id] = c
		}
	})
	return c, ok, err
}

func (v view) SaveMove(ctx context.Context, m models.Move) error {
	return v.do(ctx, func() { v.moves = append(v.moves, m) })
}

func (v view) Moves(ctx context.Context, since time.Time, users ...models.UserID) (out []models.Move, err error) {
	err = v.do(ctx, func() {
		for _, m := range v.moves {
			if slices.Contains(users, m.UserID) && !m.At.Before(since) {
				out = append(out, m)
			}
		}
	})
	slices.SortStableFunc(out, func(a, b models.Move) int { return a.At.Compare(b.At) })
	return out, err
}

func (v view) Insert(ctx context.Context, messages []models.Message) error {
	if v.leaves(func() { v.messages = append(v.messages, v.missing(messages)...) }) {
		select {
		case <-time.After(unanswered):
		case <-v.dead:
		case <-ctx.Done():
		}
		return models.Unavailable("the database", models.ErrUnanswered)
	}
	return v.do(ctx, func() {
		v.messages = append(v.messages, messages...)
		v.stored()
	})
}

// unanswered is how long an answer is waited for.
const unanswered = time.Second

// missing are those that are not stored; it needs mu.
func (d *database) missing(messages []models.Message) []models.Message {
	return slices.DeleteFunc(slices.Clone(messages), func(m models.Message) bool {
		return slices.ContainsFunc(d.messages, func(o models.Message) bool { return o.ID == m.ID })
	})
}

func (v view) InsertMissing(ctx context.Context, messages []models.Message) error {
	return v.do(ctx, func() {
		for i, m := range v.messages {
			for _, again := range messages {
				if m.ID == again.ID {
					v.messages[i].CreatedAt = again.CreatedAt
				}
			}
		}
		v.messages = append(v.messages, v.missing(messages)...)
	})
}

func (v view) Message(ctx context.Context, id models.MessageID) (m models.Message, found bool, err error) {
	err = v.do(ctx, func() {
		for _, o := range v.messages {
			if o.ID == id {
				m, found = o, true
			}
		}
	})
	return m, found, err
}

func (v view) Latest(ctx context.Context, _ []models.ChatID) (map[models.ChatID]models.Message, error) {
	out := map[models.ChatID]models.Message{}
	return out, v.do(ctx, func() {})
}

func (v view) Since(ctx context.Context, chats []models.ChatID, since time.Time, limit int) (out []models.Message, err error) {
	err = v.do(ctx, func() {
		for _, m := range v.messages {
			if slices.Contains(chats, m.ChatID) && !m.CreatedAt.Before(since) {
				out = append(out, m)
			}
		}
	})
	slices.SortFunc(out, func(a, b models.Message) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return out[max(0, len(out)-limit):], err
}

func (v view) History(ctx context.Context, _ models.ChatID, _ models.Page) ([]models.Message, bool, error) {
	return nil, true, v.do(ctx, func() {})
}

func (v view) Request(ctx context.Context, key string) (r models.Request, found bool, err error) {
	err = v.do(ctx, func() { r, found = v.requests[key] })
	return r, found, err
}

func (v view) Claim(ctx context.Context, r models.Request) (claimed bool, err error) {
	err = v.do(ctx, func() {
		if _, taken := v.requests[r.Key]; !taken {
			v.requests[r.Key], claimed = r, true
		}
	})
	return claimed, err
}

func (v view) TakeOver(ctx context.Context, claimedAt time.Time, request models.Request) (taken bool, err error) {
	err = v.do(ctx, func() {
		if r, ok := v.requests[request.Key]; ok && !r.Done && r.ClaimedAt.Equal(claimedAt) {
			v.requests[request.Key], taken = request, true
		}
	})
	return taken, err
}

func (v view) Finish(ctx context.Context, keys ...string) error {
	return v.do(ctx, func() {
		for _, key := range keys {
			r := v.requests[key]
			r.Done = true
			v.requests[key] = r
		}
	})
}

func (v view) Forget(ctx context.Context, key string) error {
	return v.do(ctx, func() { delete(v.requests, key) })
}

func (v view) SaveAbsence(ctx context.Context, u models.UserID, a models.Absence) error {
	return v.do(ctx, func() {
		v.absences[u] = a
		if !a.Back.IsZero() {
			v.online[u] = true
		}
	})
}

func (v view) TakenForOnline(ctx context.Context, fn func([]models.UserID) error) error {
	var users []models.UserID
	if err := v.do(ctx, func() { users = slices.Sorted(maps.Keys(v.online)) }); err != nil {
		return err
	}
	return fn(users)
}

func (v view) ToldOffline(ctx context.Context, gone []models.Untold) error {
	return v.do(ctx, func() {
		for _, g := range gone {
			if !v.absences[g.UserID].Back.After(g.Left) {
				delete(v.online, g.UserID)
			}
		}
	})
}

func (v view) Absence(ctx context.Context, u models.UserID) (a models.Absence, found bool, err error) {
	err = v.do(ctx, func() { a, found = v.absences[u] })
	return a, found, err
}

func (v view) LastSeen(ctx context.Context, users []models.UserID) (map[models.UserID]time.Time, error) {
	seen := map[models.UserID]time.Time{}
	err := v.do(ctx, func() {
		for _, u := range users {
			if a, ok := v.absences[u]; ok {
				seen[u] = a.Since
			}
		}
	})
	return seen, err
}

func (v view) SaveSession(ctx context.Context, id models.SessionID, s models.Session, _ time.Duration) error {
	return v.do(ctx, func() { v.sessions[id] = s })
}

func (v view) SavedSession(ctx context.Context, id models.SessionID) (s models.Session, found bool, err error) {
	err = v.do(ctx, func() { s, found = v.sessions[id] })
	return s, found, err
}

func (v view) Installed(ctx context.Context) (at time.Time, err error) {
	err = v.do(ctx, func() { at = v.installed })
	return at, err
}

func (v view) NewMessageID() models.MessageID { return models.MessageID(v.newID(0xa)) }
func (v view) NewChatID() models.ChatID       { return models.ChatID(v.newID(0xc)) }

func (v view) newID(kind int) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ids++
	return fmt.Sprintf("%x%023x", kind, v.ids)
}

func (d *database) setAway(away bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away, d.sticks = away, false
	for _, store := range d.late {
		store()
	}
	d.late = nil
}

// stick has the database go away with the next insert. Those that nobody answered
// are done in the end, or not.
func (d *database) stick() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sticks = true
}

// leaves says whether an insert is to have no answer.
func (d *database) leaves(store func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.sticks {
		return false
	}
	d.away = true
	if d.random.IntN(2) == 0 {
		d.late = append(d.late, store)
	}
	return true
}
