package mongo_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"parley/adapters/embedded"
	"parley/adapters/mongo"
	"parley/models"
	"parley/rooms"
)

var (
	_ rooms.Chats    = (*mongo.Store)(nil)
	_ rooms.Moves    = (*mongo.Store)(nil)
	_ rooms.Messages = (*mongo.Store)(nil)
	_ rooms.Requests = (*mongo.Store)(nil)
	_ rooms.Absences = (*mongo.Store)(nil)
	_ rooms.IDs      = (*mongo.Store)(nil)
)

// The tests share one server and have a database each. TEST_MONGODB_URI runs
// them against another server, without its path.
var (
	serverURI string
	databases atomic.Int64
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if serverURI = os.Getenv("TEST_MONGODB_URI"); serverURI != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "mongo-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	s, err := embedded.Mongo(context.Background(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer s.Close(context.Background())
	serverURI = s.URI()
	return m.Run()
}

// freshURI names a database nobody has used.
func freshURI(t *testing.T) *url.URL {
	t.Helper()
	u, err := url.Parse(serverURI)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = fmt.Sprintf("/t%d_%d", os.Getpid(), databases.Add(1))
	return u
}

// fixture is a store and a second, plain, client on the same database.
type fixture struct {
	*mongo.Store
	raw     *driver.Database
	uri     *url.URL
	metrics *metrics
}

func open(t *testing.T, change func(*mongo.Options)) *fixture {
	t.Helper()
	f := &fixture{uri: freshURI(t), metrics: &metrics{}}
	o := mongo.Options{URI: f.uri.String(), Metrics: f.metrics, OpTimeout: time.Minute}
	if change != nil {
		change(&o)
	}
	s, err := mongo.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := driver.Connect(options.Client().ApplyURI(f.uri.String()))
	if err != nil {
		t.Fatal(err)
	}
	f.Store, f.raw = s, c.Database(f.uri.Path[1:])
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
		_ = f.raw.Drop(ctx)
		_ = c.Disconnect(ctx)
	})
	return f
}

type metrics struct {
	mu     sync.Mutex
	errors map[string]int
	timed  map[string]int
	odd    map[string]int
}

func (m *metrics) Dropped(reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.odd == nil {
		m.odd = map[string]int{}
	}
	m.odd[reason]++
}

func (m *metrics) dropped(reason string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.odd[reason]
}

func (m *metrics) MongoError(op string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.errors == nil {
		m.errors = map[string]int{}
	}
	m.errors[op]++
}

func (m *metrics) MongoLatency(op string, d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.timed == nil {
		m.timed = map[string]int{}
	}
	m.timed[op]++
}

const (
	hexUser  = models.UserID("665f1f77bcf86cd799439a0b")
	nameUser = models.UserID("alice")
)

var base = time.Date(2024, 5, 1, 12, 0, 0, 7_000_000, time.UTC)

func at(ms int) time.Time { return base.Add(time.Duration(ms) * time.Millisecond) }

func (f *fixture) text(chat models.ChatID, ms int) models.Message {
	return models.Message{ID: f.NewMessageID(), ChatID: chat, SenderID: hexUser, Type: models.Text, Text: "hi", CreatedAt: at(ms), UpdatedAt: at(ms)}
}

func (f *fixture) insert(t *testing.T, messages ...models.Message) {
	t.Helper()
	if err := f.Insert(t.Context(), messages); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) count(t *testing.T, coll string) int64 {
	t.Helper()
	n, err := f.raw.Collection(coll).CountDocuments(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func oid(t *testing.T, hex string) bson.ObjectID {
	t.Helper()
	id, err := bson.ObjectIDFromHex(hex)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
