package redis

import (
	"context"
	"maps"
	"testing"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

// Every pod reads what each has left last, whatever others put there.
func testMarks(t *testing.T, client driver.UniversalClient, a, b *pod) {
	ctx := context.Background()
	at := func(ms int) time.Time { return time.UnixMilli(1_790_000_000_000 + int64(ms)).UTC() }
	trade := func(p *pod, m models.Mark, want map[string]models.Mark) {
		t.Helper()
		got, err := p.Trade(ctx, m)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
	}
	first := models.Mark{Sent: at(1)}
	trade(a, first, map[string]models.Mark{"a": first})
	second := models.Mark{Sent: at(2), Heard: at(1)}
	trade(b, second, map[string]models.Mark{"a": first, "b": second})
	gone := models.Mark{Sent: at(3), Heard: at(2), Over: true}
	trade(a, gone, map[string]models.Mark{"a": gone, "b": second})

	if err := client.HSet(ctx, marksKey, "c", "of whom?", "d", "5", "e", "-1 0", "f", "1 x", "g h", "1 1").Err(); err != nil {
		t.Fatal(err)
	}
	trade(b, second, map[string]models.Mark{"a": gone, "b": second})
	if n := b.metrics.(*tally).of(oddMark); n != 5 {
		t.Errorf("%d odd marks counted", n)
	}
	if err := b.Withdraw(ctx, "a", "c", "d", "e", "f", "g h"); err != nil {
		t.Fatal(err)
	}
	trade(b, second, map[string]models.Mark{"b": second})

	if err := client.Set(ctx, marksKey, "no hash", 0).Err(); err != nil {
		t.Fatal(err)
	}
	trade(b, second, map[string]models.Mark{"b": second})
}
