package mongo_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"parley/adapters/mongo"
	"parley/models"
)

// sizes are what the test is about; PARLEY_SIZE sets how many messages.
func sizes(t *testing.T) (chats, participants, messages int) {
	t.Helper()
	chats, participants, messages = 1000, 10_000, 6000
	if n, err := strconv.Atoi(os.Getenv("PARLEY_SIZE")); err == nil {
		messages = n
	}
	return chats, participants, messages
}

// What each call asks the database, with how much it may read and how much
// comes back, is docs/CONTRACT.md's table: nothing of it grows with the
// collections, and who else takes part in a chat costs a connect nothing.
func TestWhatIsRead(t *testing.T) {
	t.Parallel()
	nChats, wide, nMessages := sizes(t)
	w := newWire(t, serverURI)
	f := open(t, func(o *mongo.Options) { o.URI = w.through(o.URI) })
	ctx := t.Context()
	f.Narrow(400_000)
	must(t, f.EnsureIndexes(ctx))
	chats := f.crowdedChats(t, nChats, wide)
	f.manyMessages(t, chats, nMessages)
	f.manyMoves(t, chats[0], nMessages)
	var some []models.UserID
	for i := range 10 {
		some = append(some, models.UserID(fmt.Sprintf("user %d", i)))
	}
	newest, _, err := f.History(ctx, chats[0], models.Page{Limit: 50})
	must(t, err)
	tests := []struct {
		name                     string
		call                     func() (int, error)
		results                  int // -1: some
		trips, docs, keys, bytes int
		fewer                    bool // trips will do, too
	}{
		{name: "connect: whose chats", results: nChats, trips: 1, keys: nChats, bytes: 40 * nChats, call: func() (int, error) {
			ids, err := f.ChatIDsOf(ctx, hexUser)
			return len(ids[hexUser]), err
		}},
		{name: "several, of small chats", results: 10, trips: 1, docs: 10, keys: 10, bytes: 10_000, call: func() (int, error) {
			ids, err := f.ChatIDsOf(ctx, some...)
			return len(ids), err
		}},
		{name: "several, one of them of chats without end", results: 2, trips: 3, docs: nChats + 1, keys: 2*nChats + 2, bytes: 2 << 20, call: func() (int, error) {
			ids, err := f.ChatIDsOf(ctx, hexUser, some[0])
			if n := len(ids[hexUser]); n != nChats {
				t.Errorf("%d chats", n)
			}
			return len(ids), err
		}},
		{name: "one chat", results: 1, trips: 1, docs: 1, bytes: 40 * wide, call: func() (int, error) {
			_, found, err := f.Chat(ctx, chats[0])
			return one(found), err
		}},
		{name: "history: the end", results: 50, trips: 1, docs: 50, keys: 51, bytes: 50_000, call: func() (int, error) {
			page, _, err := f.History(ctx, chats[0], models.Page{Limit: 50})
			return len(page), err
		}},
		{name: "history: a page further down", results: 51, trips: 2, docs: 52, keys: 53, bytes: 50_000, call: func() (int, error) {
			page, _, err := f.History(ctx, chats[0], models.Page{Before: newest[49].ID, Limit: 51})
			return len(page), err
		}},
		{name: "backlog: of the last second", results: -1, trips: 5, docs: 5 * 501, keys: 5*501 + nChats, bytes: 1 << 20, call: func() (int, error) {
			m, err := f.Since(ctx, chats, at(nMessages-1000), 501)
			return len(m), err
		}},
		{name: "backlog: of all time", results: 501, trips: 5, docs: 5 * 501, keys: 5*501 + nChats, bytes: 2 << 20, call: func() (int, error) {
			m, err := f.Since(ctx, chats, at(0), 501)
			return len(m), err
		}},
		{name: "chats: newest message of each", fewer: true, results: nChats, trips: 5 + 5 + nChats/4, docs: 7 * nChats, keys: 9 * nChats, bytes: 4 << 20, call: func() (int, error) {
			m, err := f.Latest(ctx, chats)
			return len(m), err
		}},
		{name: "chats: a page", results: 100, trips: 1, docs: 100, bytes: 100 * 40 * wide, call: func() (int, error) {
			c, err := f.ChatsByID(ctx, chats[:100])
			return len(c), err
		}},
		{name: "POST: stored", results: 1, trips: 1, bytes: 1000, call: func() (int, error) {
			return 1, f.Insert(ctx, []models.Message{f.text(chats[0], nMessages)})
		}},
		{name: "a move", results: 1, trips: 1, bytes: 1000, call: func() (int, error) {
			return 1, f.SaveMove(ctx, models.Move{UserID: hexUser, ChatID: chats[0], At: at(nMessages)})
		}},
		{name: "backlog: who moved since", results: 2, trips: 1, docs: 2, keys: 4, bytes: 1000, call: func() (int, error) {
			m, err := f.Moves(ctx, at(nMessages), hexUser)
			return len(m), err
		}},
		{name: "absence", results: 0, trips: 1, docs: 1, bytes: 1000, call: func() (int, error) {
			_, found, err := f.Absence(ctx, hexUser)
			return one(found), err
		}},
	}
	t.Log("call | trips | documents, at most | keys, at most | bytes")
	for _, tt := range tests {
		w.reset()
		begin := time.Now()
		n, err := tt.call()
		took := time.Since(begin)
		must(t, err)
		got := w.counted(t)
		t.Logf("%s | %d | %d | %d | %d | %d results, %v", tt.name, got.trips, got.docs, got.keys, got.bytes, n, took.Round(time.Millisecond))
		if tt.results >= 0 && n != tt.results || got.trips > tt.trips || got.trips < tt.trips && !tt.fewer || got.docs > tt.docs || got.keys > tt.keys || got.bytes > tt.bytes {
			t.Errorf("%s: %d results, want %d; %+v, for %d trips and at most %d documents, %d keys, %d bytes", tt.name, n, tt.results, got, tt.trips, tt.docs, tt.keys, tt.bytes)
		}
	}
}

func one(found bool) int {
	if found {
		return 1
	}
	return 0
}

// crowdedChats are n chats of one user; three of them have so many participants.
func (f *fixture) crowdedChats(t *testing.T, n, wide int) (ids []models.ChatID) {
	t.Helper()
	crowd := []models.UserID{hexUser}
	for i := range wide - 1 {
		crowd = append(crowd, models.UserID(fmt.Sprintf("%024x", i+1)))
	}
	var docs []any
	for i := range n {
		c := models.Chat{ID: f.NewChatID(), Participants: []models.UserID{hexUser}, CreatedAt: base, UpdatedAt: base}
		if i%400 == 0 {
			c.Participants = crowd
		}
		ids = append(ids, c.ID)
		docs = append(docs, chatDocument(t, c))
	}
	for i := range 10 {
		c := models.Chat{ID: f.NewChatID(), Participants: []models.UserID{models.UserID(fmt.Sprintf("user %d", i))}, CreatedAt: base}
		docs = append(docs, chatDocument(t, c))
	}
	for few := range slices.Chunk(docs, 100) {
		_, err := f.raw.Collection("chats").InsertMany(t.Context(), few)
		must(t, err)
	}
	return ids
}

// manyMessages are n messages, a millisecond apart, one at least in each chat:
// most of them in few of the chats.
func (f *fixture) manyMessages(t *testing.T, chats []models.ChatID, n int) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	var all []models.Message
	for i := range n {
		chat := chats[i%len(chats)]
		if i >= len(chats) && i%4 != 0 {
			chat = chats[int(float64(len(chats))*r.Float64()*r.Float64()*r.Float64())]
		}
		if all = append(all, f.text(chat, i)); len(all) == 1000 || i == n-1 {
			f.insert(t, all...)
			all = nil
		}
	}
}

// mostMoves bounds those of each of the two users: more than anybody makes.
const mostMoves = 50_000

// manyMoves are of two users, a millisecond apart, the last of them at(n).
func (f *fixture) manyMoves(t *testing.T, chat models.ChatID, n int) {
	t.Helper()
	var docs []any
	for i := 2 * max(0, n-mostMoves); i < 2*n; i++ {
		user := hexUser
		if i%2 == 0 {
			user = nameUser
		}
		docs = append(docs, bson.D{
			{Key: "_id", Value: bson.NewObjectID()}, {Key: "user", Value: string(user)}, {Key: "chat", Value: oid(t, string(chat))},
			{Key: "added", Value: i%4 < 2}, {Key: "at", Value: bson.NewDateTimeFromTime(at((i + 2) / 2))},
		})
	}
	for some := range slices.Chunk(docs, 1000) {
		_, err := f.raw.Collection("parley_moves").InsertMany(t.Context(), some)
		must(t, err)
	}
}
