package mongo_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"parley/adapters/embedded"
	"parley/adapters/mongo"
	"parley/models"
)

// TestMeasure prints how fast the embedded server is; it asserts nothing and runs
// only with MEASURE=1 (MEASURE=idx: with the store's own indexes too).
func TestMeasure(t *testing.T) {
	if os.Getenv("MEASURE") == "" {
		t.Skip()
	}
	ctx := context.Background()
	srv, err := embedded.Mongo(ctx, t.TempDir(), slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close(ctx)
	s, err := mongo.Open(ctx, mongo.Options{URI: srv.URI(), OpTimeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(ctx)
	if os.Getenv("MEASURE") == "idx" {
		if err := s.EnsureIndexes(ctx); err != nil {
			t.Fatal(err)
		}
	}
	var chats []models.ChatID
	for range 20 {
		chats = append(chats, s.NewChatID())
	}
	base := time.Now()
	n := 0
	mk := func() models.Message {
		n++
		at := base.Add(time.Duration(n) * time.Millisecond)
		return models.Message{ID: s.NewMessageID(), ChatID: chats[n%20], SenderID: "665f1f77bcf86cd799439011", Type: models.Text, Text: "hello there, how are you today?", CreatedAt: at, UpdatedAt: at}
	}
	per := func(name string, k int, f func() error) {
		start := time.Now()
		for range k {
			if err := f(); err != nil {
				t.Fatal(name, err)
			}
		}
		d := time.Since(start)
		fmt.Printf("  %-22s %8.1f/s  %v each\n", name, float64(k)/d.Seconds(), d/time.Duration(k))
	}
	report := func(reps int) {
		fmt.Println("messages:", n)
		var last models.Message
		per("History first page", reps, func() error {
			m, _, err := s.History(ctx, chats[0], models.Page{Limit: 20})
			last = m[len(m)-1]
			return err
		})
		per("History before", reps, func() error {
			_, _, err := s.History(ctx, chats[0], models.Page{Limit: 20, Before: last.ID})
			return err
		})
		per("Since recent, 20 chats", reps, func() error {
			_, err := s.Since(ctx, chats, base.Add(time.Duration(n-100)*time.Millisecond), 200)
			return err
		})
		per("Since all, 20 chats", reps, func() error { _, err := s.Since(ctx, chats, base, 200); return err })
		per("Latest 20 chats", reps, func() error { _, err := s.Latest(ctx, chats); return err })
		per("Latest 1 chat", reps, func() error { _, err := s.Latest(ctx, chats[:1]); return err })
		per("Message by id", 50, func() error { _, _, err := s.Message(ctx, last.ID); return err })
	}
	per("insert 1 (sequential)", 500, func() error { return s.Insert(ctx, []models.Message{mk()}) })
	for _, c := range []int{200, 1000} {
		var wg sync.WaitGroup
		ms := make([]models.Message, c)
		for i := range ms {
			ms[i] = mk()
		}
		start := time.Now()
		var mu sync.Mutex
		errs := map[string]int{}
		for _, m := range ms {
			wg.Go(func() {
				if err := s.Insert(ctx, []models.Message{m}); err != nil {
					mu.Lock()
					errs[err.Error()]++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		fmt.Printf("  %d concurrent inserts: %v, %.0f/s, errors %v\n", c, time.Since(start), float64(c)/time.Since(start).Seconds(), errs)
	}
	report(20)
	for n < 20000 {
		b := make([]models.Message, 100)
		for i := range b {
			b[i] = mk()
		}
		if err := s.Insert(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	per("insert 1 at 20k", 200, func() error { return s.Insert(ctx, []models.Message{mk()}) })
	report(5)
}
