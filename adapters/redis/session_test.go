package redis

import (
	"context"
	"reflect"
	"testing"
	"time"

	"parley/models"
)

func TestSessions(t *testing.T) {
	t.Parallel()
	client := open(t, startServer(t).url())
	a, b := newPod(t, client, "a"), newPod(t, client, "b")
	ctx := context.Background()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC)
	whole := models.Session{
		UserID: "u", Over: true, Backlog: 1, From: at.Add(time.Second),
		Before: models.Absence{Since: at, Seen: []models.MessageID{"m0"}},
		Sent:   []models.Delivery{{ID: "m1", At: at.Add(-time.Hour)}, {ID: "m2", At: at}, {ID: "m3", At: at.Add(time.Microsecond)}},
	}
	for _, s := range []models.Session{whole, {UserID: "w", Before: models.Absence{Since: at}}} {
		if err := a.KeepSession(ctx, "id", s, time.Minute); err != nil {
			t.Fatal(err)
		}
		if ttl := client.PTTL(ctx, "parley:session:id").Val(); ttl <= 0 || ttl > time.Minute {
			t.Errorf("kept for %v", ttl)
		}
		got, found, err := b.TakeSession(ctx, "id")
		if err != nil || !found || !reflect.DeepEqual(got, s) {
			t.Errorf("got %+v, %v, %v; want %+v", got, found, err, s)
		}
		if _, found, err := a.TakeSession(ctx, "id"); found || err != nil {
			t.Errorf("taken twice: %v, %v", found, err)
		}
	}
	if err := client.Set(ctx, "parley:session:junk", `{"sent":["x"]}`, 0).Err(); err != nil {
		t.Fatal(err)
	}
	if _, found, err := a.TakeSession(ctx, "junk"); found || err != nil {
		t.Errorf("junk: %v, %v", found, err)
	}
}
