package rooms

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/models"
)

// world is a small memory-only stand-in for everything rooms needs, with a
// clock that moves only when told. What is real about MongoDB, Redis and
// Socket.IO is tested in the adapters and end to end; here it is the decisions.
type world struct {
	probe func(models.UserID, models.SocketID) int // what Probe finds; nil for all alive
	t     *testing.T
	svc   *Service

	mu       sync.Mutex
	clock    time.Time
	lookedUp int // how often a key was
	// stopNoting ends what notes that requests are done.
	stopNoting func()
	chats      map[models.ChatID]models.Chat
	messages   []models.Message
	moves      []models.Move
	unsure     bool // whether joins and leaves may have gone unheard
	requests   map[string]models.Request
	saved      map[models.UserID]models.Absence
	online     map[models.UserID]bool // as it is saved
	noted      map[models.UserID]note
	vacant     map[models.UserID][]models.Vacancy
	onFollow   func() // with mu
	sockets    map[models.UserID][]models.SocketID
	podOf      map[models.SocketID]string // of those that are another pod's
	emitted    []emission
	looks      [][]models.UserID           // who was asked for by Online
	seenLooks  [][]models.UserID           // who was asked for by LastSeen
	chatLooks  int                         // how often ChatsOf was asked
	untold     map[models.UserID]time.Time // who left and is to be told of
	told       map[models.UserID]time.Time // of whom it was
	patient    bool                        // they are told of when the test says so
	handed     int                         // how many were emitted when it was last asked to hand over
	joined     []models.Audience
	leftRoom   []models.Audience
	kept       []string
	removed    []string
	fail       map[string]error
	ids        int
	onHanded   func() // what happens meanwhile; it has mu
	letIn      map[models.SocketID]time.Time
	given      map[models.SocketID][]models.MessageID
	pods       int                               // that listen
	marks      map[string]models.Mark            // what they have left
	seats      map[models.UserID][]models.ChatID // who has a socket here, and where
	dropped    map[string]int
	sessions   map[models.SessionID]models.Session
	put        map[models.SessionID]models.Session // … in the database
	census     map[models.UserID]time.Time
	onAdd      func(models.UserID)    // what happens right after a socket was added; it has mu
	notify     chan struct{}          // closed when something is noted next
	onPart     func(models.SessionID) // what the socket that holds a session does when told to go
}

type note struct {
	by      models.SocketID
	absence models.Absence
	until   time.Time
}

type emission struct {
	to    models.Audience
	event models.Event
}

var errAway = errors.New("away")

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, clock: time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC),
		chats: map[models.ChatID]models.Chat{}, requests: map[string]models.Request{},
		saved: map[models.UserID]models.Absence{}, online: map[models.UserID]bool{}, noted: map[models.UserID]note{}, vacant: map[models.UserID][]models.Vacancy{},
		sockets: map[models.UserID][]models.SocketID{}, podOf: map[models.SocketID]string{}, fail: map[string]error{}, dropped: map[string]int{},
		sessions: map[models.SessionID]models.Session{}, put: map[models.SessionID]models.Session{}, notify: make(chan struct{}),
		pods: 1, letIn: map[models.SocketID]time.Time{}, given: map[models.SocketID][]models.MessageID{}, marks: map[string]models.Mark{},
		untold: map[models.UserID]time.Time{}, told: map[models.UserID]time.Time{},
	}
	w.svc = New(Options{
		Chats: w, Moves: w, Messages: w, Requests: w, Absences: absences{w}, Presence: presence{w}, Census: w, Sessions: w, Saved: w, Board: w, Marks: NewMarks("here", w.now, time.Minute, 2*time.Minute), Hub: hub{w},
		Media: w, IDs: w, Metrics: w, Logger: slog.New(slog.DiscardHandler), Now: w.now,
		Limits: Limits{
			TextBytes: 100, Files: 3, Participants: 4, NameBytes: 20, PresenceRoom: 4, Replay: 5, ReplayGrace: 5 * time.Second,
			Unheard: 45 * time.Second, Recovery: 2 * time.Minute, RecoveryPatience: 50 * time.Millisecond, ReloadPatience: 50 * time.Millisecond,
			ClaimPatience: time.Second, ClaimLease: 30 * time.Second, StoreTimeout: time.Second, PresenceTimeout: time.Second,
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	var noting sync.WaitGroup
	noting.Go(func() { w.svc.noteAllDone(ctx) })
	w.stopNoting = func() { cancel(); noting.Wait() }
	t.Cleanup(w.stopNoting)
	return w
}

func (w *world) LastOnline(user models.UserID) (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, ok := w.census[user]
	return at, ok
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

// failing makes one operation fail until it is given nil.
func (w *world) failing(op string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail[op] = err
}

func (w *world) failure(op string) error {
	if err := w.fail[op]; err != nil {
		return models.Unavailable(op, err)
	}
	return nil
}

func (w *world) chat(users ...models.UserID) models.ChatID {
	id := w.NewChatID()
	now := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.chats[id] = models.Chat{ID: id, Participants: users, CreatedAt: now, UpdatedAt: now}
	return id
}

func (w *world) send(from models.UserID, chat models.ChatID, text string) models.Message {
	w.t.Helper()
	messages, err := w.svc.Send(context.Background(), models.Draft{ChatID: chat, SenderID: from, Text: text})
	if err != nil {
		w.t.Fatal(err)
	}
	return messages[0]
}

func (w *world) events() []models.Event {
	w.announce()
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []models.Event
	for _, e := range w.emitted {
		out = append(out, e.event)
	}
	return out
}

func (w *world) last() models.Event {
	all := w.events()
	return all[len(all)-1]
}

// door is a socket at the door.
type door struct {
	id       models.SocketID
	steps    []string
	onEnter  func()
	onHears  func() error
	stale    func() // what happened while nobody was heard; Enter refuses once
	identity models.UserID
	// What its client says of its session, and whether it went on with it.
	session models.SessionID
	offset  string
	resumed bool
	kept    any // by an earlier try
	device  models.Device
	had     models.Had
	later   func(context.Context) []models.Event
}

func (d *door) Has(had models.Had)                               { d.had = had }
func (d *door) Later(fn func(context.Context) []models.Event)    { d.later = fn }
func (d *door) Keep(v any)                                       { d.kept = v }
func (d *door) Kept() any                                        { return d.kept }
func (d *door) Aside(_ context.Context, wait func() error) error { return wait() }

func (d *door) Resumes() (models.SessionID, string, bool) {
	return d.session, d.offset, d.session != ""
}
func (d *door) Resume() { d.resumed = true }

func (d *door) Hears(context.Context) error {
	if d.onHears != nil {
		return d.onHears()
	}
	return nil
}

func (d *door) SocketID() models.SocketID { return d.id }
func (d *door) Device() models.Device     { return d.device }
func (d *door) Identify(u models.UserID)  { d.identity = u; d.steps = append(d.steps, "identify") }
func (d *door) Enter(chats []models.ChatID) bool {
	d.steps = append(d.steps, fmt.Sprintf("enter %d", len(chats)))
	if d.stale != nil {
		d.stale()
		d.stale = nil
		return false
	}
	if d.onEnter != nil {
		d.onEnter()
	}
	return true
}

// connect lets a socket in and returns the texts of its backlog.
func (w *world) connect(user models.UserID, socket models.SocketID) []string {
	w.t.Helper()
	backlog, err := w.lets(user, &door{id: socket})
	if err != nil {
		w.t.Fatal(err)
	}
	w.announce()
	return texts(backlog)
}

// announce works off who came, and then, unless the test is patient, who left.
func (w *world) announce() {
	w.t.Helper()
	w.svc.tellOnline(context.Background(), fill(nil, w.svc.arrivals))
	if !w.patient {
		w.due()
	}
}

// due is when the grace is over of all who left.
func (w *world) due() {
	w.t.Helper()
	w.mu.Lock()
	var untold []models.Untold
	for u, left := range w.untold {
		if len(w.sockets[u]) == 0 {
			untold = append(untold, models.Untold{UserID: u, Left: left})
		}
	}
	slices.SortFunc(untold, func(a, b models.Untold) int { return cmp.Compare(a.UserID, b.UserID) })
	w.mu.Unlock()
	if len(untold) == 0 {
		return
	}
	if err := w.svc.Untold(context.Background(), untold); err != nil {
		w.t.Error(err)
	}
}

// lets is Connect; parts is Disconnect, of a socket that was sent what it was let
// in with, and all that was said until Slack before.
func (w *world) lets(user models.UserID, d *door) ([]models.Event, error) {
	backlog, err := w.svc.Connect(context.Background(), user, d)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.letIn[d.id], w.given[d.id] = w.clock, nil
	for _, e := range backlog {
		w.given[d.id] = append(w.given[d.id], e.(models.NewMessage).Message.ID)
	}
	return backlog, err
}

func (w *world) parts(d models.Departure) {
	if d.Welcomed {
		w.mu.Lock()
		if !d.At.Before(w.letIn[d.SocketID]) {
			d.Heard, d.Seen = d.At.Add(-models.Slack), slices.Concat(w.given[d.SocketID], d.Seen)
		}
		w.mu.Unlock()
	}
	w.svc.Disconnect(context.Background(), d)
}

func texts(backlog []models.Event) []string {
	out := []string{}
	for _, e := range backlog {
		out = append(out, e.(models.NewMessage).Message.Text)
	}
	return out
}

func (w *world) disconnect(user models.UserID, socket models.SocketID, seen ...models.MessageID) {
	w.parts(models.Departure{UserID: user, SocketID: socket, At: w.now(), Reason: "transport close", Had: models.Had{Seen: seen}, Welcomed: true})
	w.announce()
}

// The stores.

func (w *world) Chat(_ context.Context, id models.ChatID) (models.Chat, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.chats[id]
	return c, ok, w.failure("chat")
}

func (w *world) ChatIDsOf(_ context.Context, users ...models.UserID) (map[models.UserID][]models.ChatID, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.chatLooks++
	out := map[models.UserID][]models.ChatID{}
	for _, c := range w.chats {
		for _, u := range users {
			if c.Has(u) {
				out[u] = append(out[u], c.ID)
			}
		}
	}
	return out, w.failure("chatsOf")
}

func (w *world) SmallChatsOf(_ context.Context, most int, users ...models.UserID) ([]models.Chat, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.chatLooks++
	var out []models.Chat
	for _, c := range w.chats {
		if len(c.Participants) <= most && slices.ContainsFunc(users, c.Has) {
			out = append(out, c)
		}
	}
	return out, w.failure("chatsOf")
}

func (w *world) ChatsByID(_ context.Context, ids []models.ChatID) ([]models.Chat, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []models.Chat
	for _, id := range ids {
		if c, ok := w.chats[id]; ok {
			out = append(out, c)
		}
	}
	return out, w.failure("chatsByID")
}

func (w *world) CreateChat(_ context.Context, c models.Chat) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.chats[c.ID] = c
	return w.failure("createChat")
}

func (w *world) AddParticipant(_ context.Context, id models.ChatID, user models.UserID, at time.Time) (models.Chat, bool, error) {
	return w.change(id, at, func(p []models.UserID) []models.UserID {
		if slices.Contains(p, user) {
			return p
		}
		return append(slices.Clone(p), user)
	})
}

func (w *world) RemoveParticipant(_ context.Context, id models.ChatID, user models.UserID, at time.Time) (models.Chat, bool, error) {
	return w.change(id, at, func(p []models.UserID) []models.UserID {
		return slices.DeleteFunc(slices.Clone(p), func(u models.UserID) bool { return u == user })
	})
}

func (w *world) change(id models.ChatID, at time.Time, f func([]models.UserID) []models.UserID) (models.Chat, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.failure("before the change"); err != nil {
		return models.Chat{}, false, err
	}
	c, ok := w.chats[id]
	if ok {
		c.Participants, c.UpdatedAt = f(c.Participants), at
		w.chats[id] = c
	}
	return c, ok, w.failure("change")
}

func (w *world) Insert(_ context.Context, messages []models.Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.failure("insert"); err != nil {
		return err
	}
	w.messages = append(w.messages, messages...)
	return nil
}

func (w *world) InsertMissing(ctx context.Context, messages []models.Message) error {
	for _, m := range messages {
		if _, found, _ := w.Message(ctx, m.ID); !found {
			if err := w.Insert(ctx, []models.Message{m}); err != nil {
				return err
			}
			continue
		}
		w.mu.Lock()
		i := slices.IndexFunc(w.messages, func(o models.Message) bool { return o.ID == m.ID })
		w.messages[i].CreatedAt, w.messages[i].UpdatedAt = m.CreatedAt, m.UpdatedAt
		w.mu.Unlock()
	}
	return nil
}

func (w *world) Message(_ context.Context, id models.MessageID) (models.Message, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.messages, func(m models.Message) bool { return m.ID == id })
	if i < 0 {
		return models.Message{}, false, nil
	}
	return w.messages[i], true, nil
}

func (w *world) Latest(_ context.Context, chats []models.ChatID) (map[models.ChatID]models.Message, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[models.ChatID]models.Message{}
	for _, m := range w.messages {
		out[m.ChatID] = m
	}
	return out, nil
}

func (w *world) Since(_ context.Context, chats []models.ChatID, since time.Time, limit int) ([]models.Message, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []models.Message
	for _, m := range w.messages {
		if slices.Contains(chats, m.ChatID) && !m.CreatedAt.Before(since) {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b models.Message) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return out[max(0, len(out)-limit):], w.failure("since")
}

func (w *world) History(_ context.Context, chat models.ChatID, page models.Page) ([]models.Message, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []models.Message
	for _, m := range w.messages {
		if m.ChatID == chat && (page.Before == "" || m.ID < page.Before) && (page.After == "" || m.ID > page.After) {
			out = append(out, m)
		}
	}
	if page.After != "" {
		out = out[:min(len(out), page.Limit)]
		slices.Reverse(out)
		return out, true, nil
	}
	slices.Reverse(out)
	return out[:min(len(out), page.Limit)], page.Before != "ffffffffffffffffffffffff", nil
}

func (w *world) Request(_ context.Context, key string) (models.Request, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lookedUp++
	r, ok := w.requests[key]
	return r, ok, nil
}

func (w *world) Claim(_ context.Context, r models.Request) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, taken := w.requests[r.Key]; taken {
		return false, nil
	}
	w.requests[r.Key] = r
	return true, w.failure("claim")
}

func (w *world) TakeOver(_ context.Context, claimedAt time.Time, request models.Request) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.requests[request.Key].ClaimedAt.Equal(claimedAt) {
		return false, nil
	}
	w.requests[request.Key] = request
	return true, nil
}

func (w *world) Finish(_ context.Context, keys ...string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range keys {
		r := w.requests[key]
		r.Done = true
		w.requests[key] = r
	}
	return w.failure("finish")
}

func (w *world) Forget(_ context.Context, key string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.requests, key)
	return nil
}

// absences is the durable copy.
type absences struct{ *world }

func (a absences) SaveAbsence(_ context.Context, u models.UserID, absence models.Absence) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.saved[u] = absence
	if !absence.Back.IsZero() {
		a.online[u] = true
	}
	return a.failure("saveAbsence")
}

func (a absences) Absence(_ context.Context, u models.UserID) (models.Absence, bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	absence, ok := a.saved[u]
	return absence, ok, nil
}

func (a absences) LastSeen(_ context.Context, users []models.UserID) (map[models.UserID]time.Time, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seenLooks = append(a.seenLooks, users)
	seen := map[models.UserID]time.Time{}
	for _, u := range users {
		if absence, ok := a.saved[u]; ok {
			seen[u] = absence.Since
		}
	}
	return seen, a.failure("lastSeen")
}

func (a absences) TakenForOnline(_ context.Context, fn func([]models.UserID) error) error {
	a.mu.Lock()
	users := slices.Sorted(maps.Keys(a.online))
	a.mu.Unlock()
	return errors.Join(fn(users), a.failure("takenForOnline"))
}

func (a absences) ToldOffline(_ context.Context, gone []models.Untold) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, g := range gone {
		if !a.saved[g.UserID].Back.After(g.Left) {
			delete(a.online, g.UserID)
		}
	}
	return a.failure("toldOffline")
}

func (a absences) Installed(context.Context) (time.Time, error) {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), nil
}

// presence is Redis.
type presence struct{ *world }

func (p presence) Add(ctx context.Context, u models.UserID, s models.SocketID) (models.Arrival, error) {
	absence, noted, _ := p.Away(ctx, u)
	p.mu.Lock()
	defer p.mu.Unlock()
	arrival := models.Arrival{Others: len(p.sockets[u]), Ours: p.oursOf(u), Absence: absence, Noted: noted}
	if arrival.Others == 0 {
		arrival.Left = p.untold[u]
	}
	p.sockets[u] = append(p.sockets[u], s)
	if p.onAdd != nil {
		p.onAdd(u)
	}
	return arrival, p.failure("add")
}

func (p presence) Remove(_ context.Context, u models.UserID, s models.SocketID, left time.Time) (bool, int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.failure("remove"); err != nil {
		return false, 0, err
	}
	before := len(p.sockets[u])
	p.sockets[u] = slices.DeleteFunc(p.sockets[u], func(x models.SocketID) bool { return x == s })
	removed := len(p.sockets[u]) < before
	if removed && len(p.sockets[u]) == 0 && !left.IsZero() {
		p.untold[u] = left
	}
	return removed, len(p.sockets[u]), nil
}

func (p presence) NoteLeft(_ context.Context, u models.UserID, left time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sockets[u]) == 0 && !p.told[u].Equal(left) {
		p.untold[u] = left
	}
	return p.failure("noteLeft")
}

func (p presence) NoteMissing(ctx context.Context, users []models.UserID, left time.Time) (err error) {
	for _, u := range users {
		err = errors.Join(err, p.NoteLeft(ctx, u, left))
	}
	return err
}

func (p presence) TakeUntold(_ context.Context, untold []models.Untold) (taken []models.Untold, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range untold {
		if len(p.sockets[u.UserID]) == 0 && p.untold[u.UserID].Equal(u.Left) {
			delete(p.untold, u.UserID)
			p.told[u.UserID] = u.Left
			taken = append(taken, u)
		}
	}
	return taken, p.failure("takeUntold")
}

func (p presence) TakeLeft(_ context.Context, users []models.UserID) (taken []models.Untold, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range users {
		if left, ok := p.untold[u]; ok && len(p.sockets[u]) == 0 {
			delete(p.untold, u)
			p.told[u] = left
			taken = append(taken, models.Untold{UserID: u, Left: left})
		}
	}
	return taken, p.failure("takeLeft")
}

func (p presence) Count(_ context.Context, u models.UserID) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sockets[u]), nil
}

func (p presence) Sockets(_ context.Context, u models.UserID) ([]models.SocketID, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sockets[u]), p.failure("sockets")
}

// oursOf counts those that are Parley's: a Node pod's begin with "node".
func (w *world) oursOf(u models.UserID) (n int) {
	for _, s := range w.sockets[u] {
		if !strings.HasPrefix(string(s), "node") {
			n++
		}
	}
	return n
}

func (p presence) Ours(_ context.Context, u models.UserID) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.oursOf(u), p.failure("ours")
}

func (p presence) PodsOf(_ context.Context, u models.UserID) (map[string]int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pods := map[string]int{}
	for _, s := range p.sockets[u] {
		if pod := p.podOf[s]; pod != "" {
			pods[pod]++
		}
	}
	return pods, p.failure("podsOf")
}

func (p presence) Presences(_ context.Context, users []models.UserID) ([]models.Presence, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looks = append(p.looks, users)
	all := make([]models.Presence, len(users))
	for i, u := range users {
		all[i] = models.Presence{UserID: u, Sockets: len(p.sockets[u])}
		if all[i].Sockets == 0 {
			all[i].LastSeen = p.noted[u].absence.Since
		}
	}
	return all, p.failure("presences")
}

func (p presence) Online(_ context.Context, users []models.UserID) (map[models.UserID]bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looks = append(p.looks, users)
	out := map[models.UserID]bool{}
	for _, u := range users {
		out[u] = len(p.sockets[u]) > 0
	}
	return out, p.failure("online")
}

func (p presence) MarkAway(_ context.Context, u models.UserID, by models.SocketID, a models.Absence) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if old, ok := p.noted[u]; ok && old.absence.Since.After(a.Since) {
		a.Since = old.absence.Since
	}
	p.noted[u] = note{by: by, absence: a}
	p.noticed()
	return p.failure("markAway")
}

// noticed wakes those who wait for something to be noted; it needs mu.
func (w *world) noticed() {
	close(w.notify)
	w.notify = make(chan struct{})
}

func (p presence) AwaitAway(ctx context.Context, u models.UserID, patience time.Duration) (models.Absence, bool, error) {
	end := time.After(patience)
	for over := false; ; {
		p.mu.Lock()
		noted := p.notify
		p.mu.Unlock()
		if a, found, err := p.Away(ctx, u); found && a.Back.IsZero() || err != nil || over {
			return a, found && a.Back.IsZero(), err
		}
		select {
		case <-noted:
		case <-end:
			over = true
		case <-ctx.Done():
			return models.Absence{}, false, models.Unavailable("the server", ctx.Err())
		}
	}
}

func (p presence) Away(_ context.Context, u models.UserID) (models.Absence, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, ok := p.noted[u]
	if ok && !n.until.IsZero() && p.clock.After(n.until) {
		return models.Absence{}, false, nil
	}
	return n.absence, ok, p.failure("away")
}

func (p presence) MarkBack(_ context.Context, u models.UserID, a models.Absence, keep time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.noted[u] = note{absence: a, until: p.clock.Add(keep)}
	return p.failure("markBack")
}

func (p presence) Vacate(_ context.Context, u models.UserID, v models.Vacancy, _ time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.vacant[u] = append(p.vacant[u], v)
	return p.failure("vacate")
}

func (p presence) Vacancies(_ context.Context, u models.UserID, age time.Duration) (all []models.Vacancy, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range p.vacant[u] {
		if p.clock.Sub(v.Since) <= age {
			all = append(all, v)
		}
	}
	return all, p.failure("vacancies")
}

func (p presence) Follow(_ context.Context, u models.UserID, left models.SocketID) (taken bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := len(p.vacant[u])
	p.vacant[u] = slices.DeleteFunc(p.vacant[u], func(v models.Vacancy) bool { return v.SocketID == left })
	if p.onFollow != nil {
		p.onFollow()
	}
	return len(p.vacant[u]) < before, p.failure("follow")
}

func (p presence) ForgetAway(_ context.Context, u models.UserID, by models.SocketID, keep time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n, ok := p.noted[u]; ok && n.by == by {
		n.until = p.clock.Add(keep)
		if keep == 0 {
			delete(p.noted, u)
		} else {
			p.noted[u] = n
		}
	}
	return nil
}

// hub is Socket.IO.
type hub struct{ *world }

func (h hub) Emit(to models.Audience, e models.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.emitted = append(h.emitted, emission{to, e})
}

func (h hub) Sure() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.unsure
}

func (h hub) Handed(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.handed = len(h.emitted)
	if h.onHanded != nil {
		h.onHanded()
	}
	return h.failure("handed")
}

func (h hub) CaughtUp(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failure("caughtUp")
}

func (h hub) Pods(context.Context) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pods, h.failure("pods")
}

// Probe asks nobody, unless the test says what it finds.
func (h hub) Probe(_ context.Context, user models.UserID, except models.SocketID, others int) bool {
	return h.probe == nil || h.probe(user, except) >= others
}

func (h hub) EmitEach(notices []models.Notice) {
	for _, n := range notices {
		h.Emit(n.To, n.Event)
	}
}

func (h hub) Here(users []models.UserID) []bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	here := make([]bool, len(users))
	for i, u := range users {
		_, here[i] = h.seats[u]
	}
	return here
}

func (h hub) EmitLocal(to models.Audience, e models.Event) { h.Emit(to, e) }

func (h hub) Users() []models.UserID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.seats))
}

func (h hub) Chats() (chats []models.ChatID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, some := range h.seats {
		chats = append(chats, some...)
	}
	slices.Sort(chats)
	return slices.Compact(chats)
}

func (h hub) Retell(m models.Message, _ time.Time, except []models.UserID) {
	h.Emit(models.Audience{Chats: []models.ChatID{m.ChatID}, ExceptUsers: except}, models.NewMessage{Message: m})
}

// Reseat moves each user's one socket.
func (h hub) Reseat(_ context.Context, users []models.UserID, look func() (map[models.UserID][]models.ChatID, error)) (moved []models.Seat, err error) {
	chats, err := look()
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, u := range users {
		for _, id := range chats[u] {
			if !slices.Contains(h.seats[u], id) {
				moved = append(moved, models.Seat{UserID: u, SocketID: "of " + models.SocketID(u), ChatID: id, Taken: true})
			}
		}
		for _, id := range h.seats[u] {
			if !slices.Contains(chats[u], id) {
				moved = append(moved, models.Seat{UserID: u, SocketID: "of " + models.SocketID(u), ChatID: id})
			}
		}
		h.seats[u] = chats[u]
	}
	return moved, nil
}

func (h hub) Join(_ context.Context, who models.Audience, _ models.ChatID) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.joined = append(h.joined, who)
	return h.failure("join")
}

func (h hub) Leave(_ context.Context, who models.Audience, _ models.ChatID) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leftRoom = append(h.leftRoom, who)
	return h.failure("leave")
}

func (h hub) Part(session models.SessionID, _ models.SocketID) {
	if h.onPart != nil {
		h.onPart(session)
	}
}

func (w *world) SaveSession(_ context.Context, id models.SessionID, s models.Session, _ time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.put[id] = s
	return w.failure("saveSession")
}

func (w *world) SavedSession(_ context.Context, id models.SessionID) (models.Session, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok := w.put[id]
	return s, ok, w.failure("savedSession")
}

func (w *world) KeepSession(_ context.Context, id models.SessionID, s models.Session, _ time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sessions[id] = s
	w.noticed()
	return w.failure("keepSession")
}

func (w *world) AwaitSession(ctx context.Context, id models.SessionID, patience time.Duration) (models.Session, bool, error) {
	end := time.After(patience)
	for over := false; ; {
		w.mu.Lock()
		kept := w.notify
		w.mu.Unlock()
		if s, found, err := w.TakeSession(ctx, id); found || err != nil || over {
			return s, found, err
		}
		select {
		case <-kept:
		case <-end:
			over = true
		case <-ctx.Done():
			return models.Session{}, false, models.Unavailable("the server", ctx.Err())
		}
	}
}

func (w *world) TakeSession(_ context.Context, id models.SessionID) (models.Session, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok := w.sessions[id]
	delete(w.sessions, id)
	return s, ok, w.failure("takeSession")
}

func (w *world) Trade(_ context.Context, mark models.Mark) (map[string]models.Mark, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.marks["here"] = mark
	return maps.Clone(w.marks), w.failure("trade")
}

func (w *world) Withdraw(_ context.Context, pods ...string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range pods {
		delete(w.marks, p)
	}
	return w.failure("withdraw")
}

func (h hub) InRoom(s models.SocketID, _ models.ChatID) bool { return s != "outsider" }

// Files, ids and metrics.

func (w *world) Keep(_ context.Context, u models.Upload) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.failure("keep " + u.Name); err != nil {
		return "", err
	}
	w.kept = append(w.kept, "/files/"+u.Name)
	return "/files/" + u.Name, nil
}

func (w *world) Remove(_ context.Context, url string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.removed = append(w.removed, url)
	return nil
}

func (w *world) NewMessageID() models.MessageID { return models.MessageID(w.nextID("a")) }
func (w *world) NewChatID() models.ChatID       { return models.ChatID(w.nextID("c")) }

func (w *world) nextID(prefix string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	return fmt.Sprintf("%s%023d", prefix, w.ids)
}

func (w *world) MessagesStored(int)   {}
func (w *world) MessagesReplayed(int) {}
func (w *world) Sent(time.Duration)   {}

func (w *world) HeardBehind(time.Duration) {}

func (w *world) Dropped(reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dropped[reason]++
}
