package mongo_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"parley/models"
)

// posts are requests that were made while the answers to others are held back,
// so that all but the first few go together.
type posts struct {
	f   *fixture
	l   *line
	all sync.WaitGroup
}

// ahead is how many requests go alone before others have to wait for them.
const ahead = 4

func newPosts(t *testing.T, timeout time.Duration) *posts {
	f, l := openOver(t, timeout)
	p := &posts{f: f, l: l}
	chat := f.NewChatID()
	f.insert(t, f.text(chat, 0)) // the database is made with its first document
	l.hold()
	for n := range ahead {
		p.all.Go(func() {
			if err := f.Insert(t.Context(), []models.Message{f.text(chat, 1)}); err != nil {
				t.Errorf("ahead: %v", err)
			}
		})
		eventually(t, "it is under way", func() bool { return l.count("insert") == n+2 })
	}
	return p
}

// insert returns once the request waits; then is told what became of it.
func (p *posts) insert(ctx context.Context, t *testing.T, messages []models.Message, then func(error)) {
	t.Helper()
	before := p.f.Waiting()
	p.all.Go(func() { then(p.f.Insert(ctx, messages)) })
	eventually(t, "it waits", func() bool { return p.f.Waiting() > before })
}

// What several posts want stored at the same time goes in one round trip, and
// one that is refused leaves nothing and harms no neighbour.
func TestPostsAreStoredTogether(t *testing.T) {
	t.Parallel()
	p := newPosts(t, time.Minute)
	f := p.f
	chat := f.NewChatID()
	taken := f.text(chat, 1)
	_, err := f.raw.Collection("messages").InsertOne(t.Context(), bson.D{{Key: "_id", Value: oid(t, string(taken.ID))}})
	must(t, err)
	const neighbours = 20
	for i := range neighbours {
		if i == neighbours/2 {
			refused := []models.Message{f.text(chat, 2), taken, f.text(chat, 3)}
			p.insert(t.Context(), t, refused, func(err error) {
				if models.CodeOf(err) != models.CodeInternal {
					t.Errorf("an _id that is taken: %v", err)
				}
			})
		}
		p.insert(t.Context(), t, []models.Message{f.text(chat, 4), f.text(chat, 5)}, func(err error) {
			if err != nil {
				t.Errorf("a neighbour: %v", err)
			}
		})
	}
	gone, cancel := context.WithCancel(t.Context())
	p.insert(gone, t, []models.Message{f.text(chat, 6)}, func(err error) {
		if models.CodeOf(err) != models.CodeUnavailable {
			t.Errorf("who gave up: %v", err)
		}
	})
	cancel()
	eventually(t, "who gave up is gone", func() bool { return f.Waiting() == neighbours+1 })
	p.l.set(false)
	p.all.Wait()
	if n := p.l.count("insert"); n != 1+ahead+1 {
		t.Errorf("%d inserts for %d requests", n, ahead+neighbours+1)
	}
	if n := f.count(t, "messages"); n != 1+ahead+1+2*neighbours {
		t.Errorf("%d messages", n)
	}
}

// One whose answer is lost is undone with all that went with it.
func TestPostsWithoutAnAnswerAreUndone(t *testing.T) {
	t.Parallel()
	p := newPosts(t, 2*time.Second)
	f := p.f
	chat := f.NewChatID()
	for range 10 {
		p.insert(t.Context(), t, []models.Message{f.text(chat, 1), f.text(chat, 2)}, func(err error) {
			if models.CodeOf(err) != models.CodeUnavailable {
				t.Errorf("%v", err)
			}
		})
	}
	p.l.lose.Store(1 + ahead + 1)
	p.l.set(false)
	eventually(t, "they arrived", func() bool { return f.count(t, "messages") == 1+ahead+20 })
	p.all.Wait()
	eventually(t, "they are undone", func() bool { return f.count(t, "messages") == 1+ahead })
}

// What many posts want to know of their chats is asked at once, of one chat once.
func TestChatsAreLookedUpTogether(t *testing.T) {
	t.Parallel()
	f, l := openOver(t, time.Minute)
	ctx := t.Context()
	var chats []models.ChatID
	for i := range 10 {
		c := models.Chat{ID: f.NewChatID(), Participants: []models.UserID{hexUser, nameUser}[:i%3], CreatedAt: base, UpdatedAt: base}
		must(t, f.CreateChat(ctx, c))
		chats = append(chats, c.ID)
	}
	chats = append(chats, f.NewChatID(), chats[1])
	l.hold()
	began := l.count("find")
	var all sync.WaitGroup
	ask := func(i int) {
		all.Go(func() {
			c, found, err := f.Chat(ctx, chats[i])
			if want := i != 10; err != nil || found != want || found && (c.ID != chats[i] || len(c.Participants) != (i%10)%3) {
				t.Errorf("%d: %+v, %v, %v", i, c, found, err)
			}
		})
	}
	for n := range ahead {
		ask(n)
		eventually(t, "it is under way", func() bool { return l.count("find") == began+n+1 })
	}
	for i := range chats {
		ask(i)
		eventually(t, "it waits", func() bool { return f.Waiting() == i+1 })
	}
	l.set(false)
	all.Wait()
	if n := l.count("find") - began; n != ahead+1 {
		t.Errorf("%d queries for %d posts", n, ahead+len(chats))
	}
}

// Keys that are claimed at the same time are claimed together: whose is taken, by
// one of them too, is told so, and is no fault.
func TestKeysAreClaimedTogether(t *testing.T) {
	t.Parallel()
	f, l := openOver(t, time.Minute)
	ctx := t.Context()
	claim := func(key string) (bool, error) {
		return f.Claim(ctx, models.Request{Key: key, Messages: []models.Message{f.text(f.NewChatID(), 0)}, ClaimedAt: at(0)})
	}
	if ours, err := claim("taken"); !ours || err != nil {
		t.Fatal(ours, err)
	}
	l.hold()
	var all sync.WaitGroup
	var won, lost atomic.Int32
	try := func(key string) {
		all.Go(func() {
			switch ours, err := claim(key); {
			case err != nil:
				t.Errorf("%s: %v", key, err)
			case ours:
				won.Add(1)
			default:
				lost.Add(1)
			}
		})
	}
	for n := range ahead {
		try(fmt.Sprint("ahead", n))
		eventually(t, "it is under way", func() bool { return l.count("insert") == 1+n+1 })
	}
	for i, key := range []string{"a", "taken", "b", "a", "c"} {
		try(key)
		eventually(t, "it waits", func() bool { return f.Waiting() == i+1 })
	}
	l.set(false)
	all.Wait()
	if n := l.count("insert"); n != 1+ahead+1 || won.Load() != ahead+3 || lost.Load() != 2 {
		t.Errorf("%d inserts, %d claimed, %d taken", n, won.Load(), lost.Load())
	}
	f.metrics.mu.Lock()
	defer f.metrics.mu.Unlock()
	if n := f.metrics.errors["claim"]; n != 0 {
		t.Errorf("%d errors", n)
	}
}
