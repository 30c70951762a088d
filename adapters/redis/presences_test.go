package redis

import (
	"context"
	"maps"
	"reflect"
	"testing"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

func testPresences(t *testing.T, client driver.UniversalClient, a, b *pod) {
	ctx := context.Background()
	since := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	a.mustAdd(t, "one", "p1")
	a.mustAdd(t, "two", "p2")
	b.mustAdd(t, "two", "p3")
	for _, u := range []models.UserID{"two", "gone", "back"} {
		if err := a.MarkAway(ctx, u, "p0", models.Absence{Since: since, Had: models.Had{Seen: []models.MessageID{messageID(1)}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.MarkBack(ctx, "back", models.Absence{Since: since, Back: since.Add(time.Second)}, time.Hour); err != nil {
		t.Fatal(err)
	}
	client.HSet(ctx, absenceKey("odd"), "since", "yesterday")
	client.Set(ctx, absenceKey("wrong"), "no hash", 0)
	got, err := b.Presences(ctx, []models.UserID{"gone", "one", "never", "two", "back", "odd", "wrong"})
	want := []models.Presence{
		{UserID: "gone", LastSeen: since}, {UserID: "one", Sockets: 1}, {UserID: "never"}, {UserID: "two", Sockets: 2},
		{UserID: "back", LastSeen: since}, {UserID: "odd"}, {UserID: "wrong"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v\nwant %+v", got, err, want)
	}
	for socket, u := range map[models.SocketID]models.UserID{"p1": "one", "p2": "two", "p3": "two"} {
		p := a
		if socket == "p3" {
			p = b
		}
		if _, _, err := p.Remove(ctx, u, socket, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
}

// Whose sockets are on which pods is known, a dead pod's too.
func TestPodsOf(t *testing.T) {
	t.Parallel()
	client := open(t, startServer(t).url())
	a, b := newPod(t, client, "a"), newPod(t, client, "b")
	a.mustAdd(t, "u", "s1", "s2")
	b.mustAdd(t, "u", "s3")
	b.mustAdd(t, "v", "s4")
	ctx := context.Background()
	client.SAdd(ctx, "user:u:sockets", "node") // in nobody's books
	for user, want := range map[models.UserID]map[string]int{"u": {"a": 2, "b": 1}, "v": {"b": 1}, "nobody": {}} {
		if got, err := a.PodsOf(ctx, user); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", user, got, err, want)
		}
	}
}
