//go:build !noembed

package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"parley/adapters/embedded"
)

// childDir, when set, makes the test binary a server on that directory, which
// the parent can kill.
const childDir = "EMBEDDED_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		s, err := embedded.Mongo(context.Background(), dir, slog.New(slog.NewTextHandler(os.Stderr, nil)))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(s.URI())
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func start(t *testing.T, dir string) *embedded.Server {
	t.Helper()
	s, err := embedded.Mongo(t.Context(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *embedded.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

func dial(t *testing.T, uri string) *mongo.Database {
	t.Helper()
	c, err := mongo.Connect(options.Client().ApplyURI(uri).SetWriteConcern(writeconcern.Majority()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Disconnect(context.Background()) })
	return c.Database("parley")
}

func count(t *testing.T, c *mongo.Collection) int {
	t.Helper()
	n, err := c.CountDocuments(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

func TestDataSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	if _, err := dial(t, s.URI()).Collection("messages").InsertOne(t.Context(), bson.D{{Key: "_id", Value: 1}}); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	stop(t, s)
	if d := time.Since(begin); d > 2*time.Second {
		t.Errorf("closing with a client connected took %v", d)
	}
	if n := count(t, dial(t, start(t, dir).URI()).Collection("messages")); n != 1 {
		t.Fatalf("%d documents after the restart", n)
	}
}

func TestDataSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	child.Stderr = os.Stderr
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	uri, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	coll := dial(t, strings.TrimSpace(uri)).Collection("messages")
	// Writers go on until the server is gone; what they were told is stored must be there.
	running, gone := context.WithCancel(t.Context())
	defer gone()
	var acknowledged sync.Map
	var wg sync.WaitGroup
	enough := make(chan struct{})
	var once sync.Once
	for w := range 4 {
		wg.Go(func() {
			for i, stored := 0, 0; ; i++ {
				id := w*1_000_000 + i
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				_, err := coll.InsertOne(ctx, bson.D{{Key: "_id", Value: id}})
				cancel()
				if running.Err() != nil && err != nil {
					return
				}
				if err != nil {
					continue // only slow
				}
				acknowledged.Store(id, true)
				if stored++; stored == 50 {
					once.Do(func() { close(enough) })
				}
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(time.Minute):
		t.Fatal("no writer gets anywhere")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	gone()
	_ = child.Wait()
	wg.Wait()

	db := dial(t, start(t, dir).URI())
	cursor, err := db.Collection("messages").Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var docs []struct {
		ID int `bson:"_id"`
	}
	if err := cursor.All(t.Context(), &docs); err != nil {
		t.Fatal(err)
	}
	there := map[int]bool{}
	for _, d := range docs {
		there[d.ID] = true
	}
	acknowledged.Range(func(id, _ any) bool {
		if !there[id.(int)] {
			t.Errorf("document %v was acknowledged and is lost", id)
		}
		return true
	})
	if len(there) < 50 {
		t.Errorf("only %d documents", len(there))
	}
	if _, err := db.Collection("messages").InsertOne(t.Context(), bson.D{{Key: "_id", Value: docs[0].ID}}); !mongo.IsDuplicateKeyError(err) {
		t.Errorf("the _id is no longer unique: %v", err)
	}
}

func TestAnUnfinishedFirstStartIsPutAside(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "parley.sqlite")
	if err := os.WriteFile(file, nil, 0o600); err != nil { // what a kill leaves right after the file was made
		t.Fatal(err)
	}
	if n := count(t, dial(t, start(t, dir).URI()).Collection("messages")); n != 0 {
		t.Fatal(n)
	}
	if _, err := os.Stat(file + ".unfinished"); err != nil {
		t.Error("nothing is thrown away: ", err)
	}
}

func TestADirectoryHasOneServer(t *testing.T) {
	dir := t.TempDir()
	start(t, dir)
	if s, err := embedded.Mongo(t.Context(), dir, slog.New(slog.DiscardHandler)); err == nil {
		stop(t, s)
		t.Fatal("a second server on the same directory")
	}
}

func TestOddDirectories(t *testing.T) {
	start(t, filepath.Join(t.TempDir(), "a b", "ü&=+'"))
	for _, bad := range []string{"a?b", "a#b", "a%41b"} {
		if _, err := embedded.Mongo(t.Context(), filepath.Join(t.TempDir(), bad), slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

func TestUpdatesAreAtomic(t *testing.T) {
	coll := dial(t, start(t, t.TempDir()).URI()).Collection("chats")
	if _, err := coll.InsertOne(t.Context(), bson.D{{Key: "_id", Value: "x"}, {Key: "n", Value: 0}, {Key: "turn", Value: 0}}); err != nil {
		t.Fatal(err)
	}
	const workers = 40
	var wg sync.WaitGroup
	var won sync.Map
	for w := range workers {
		wg.Go(func() {
			if _, err := coll.UpdateOne(t.Context(), bson.D{{Key: "_id", Value: "x"}}, bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}}); err != nil {
				t.Error(err)
			}
			r, err := coll.UpdateOne(t.Context(), bson.D{{Key: "_id", Value: "x"}, {Key: "turn", Value: 0}}, bson.D{{Key: "$set", Value: bson.D{{Key: "turn", Value: 1}}}})
			if err != nil {
				t.Error(err)
			} else if r.ModifiedCount == 1 {
				won.Store(w, true)
			}
		})
	}
	wg.Wait()
	var doc struct{ N int }
	if err := coll.FindOne(t.Context(), bson.D{{Key: "_id", Value: "x"}}).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	winners := 0
	won.Range(func(_, _ any) bool { winners++; return true })
	if doc.N != workers || winners != 1 {
		t.Errorf("n = %d of %d, %d winners", doc.N, workers, winners)
	}
}

func TestAThousandWritersAtOnce(t *testing.T) {
	coll := dial(t, start(t, t.TempDir()).URI()).Collection("messages")
	const writers = 1000
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			if _, err := coll.InsertOne(t.Context(), bson.D{{Key: "_id", Value: i}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := count(t, coll); n != writers {
		t.Errorf("%d documents", n)
	}
}

func TestUnacknowledgedWrites(t *testing.T) {
	db := dial(t, start(t, t.TempDir()).URI())
	silent := db.Collection("messages", options.Collection().SetWriteConcern(writeconcern.Unacknowledged()))
	for i := range 5 {
		if _, err := silent.InsertOne(t.Context(), bson.D{{Key: "_id", Value: i}}); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(20 * time.Second)
	for count(t, db.Collection("messages")) != 5 {
		if time.Now().After(deadline) {
			t.Fatal("not stored")
		}
	}
}
