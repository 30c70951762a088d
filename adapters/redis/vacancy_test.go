package redis

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"parley/models"
)

// What a socket had that left beside others is there for one who follows it, on any
// pod, unless its client comes back to its session.
func TestVacancies(t *testing.T) {
	t.Parallel()
	client := open(t, startServer(t).url())
	a, b := newPod(t, client, "a"), newPod(t, client, "b")
	ctx := context.Background()
	since := time.Now().UTC().Truncate(time.Microsecond)
	v := models.Vacancy{
		Absence:  models.Absence{Since: since, Had: models.Had{Heard: since.Add(-time.Second), Seen: []models.MessageID{messageID(1), messageID(2)}}},
		SocketID: "s1", Device: models.Device{Protocol: 4, Agent: "Firefox", Addr: "192.0.2.1"}, Session: "session",
	}
	vacancies := func(age time.Duration) []models.Vacancy {
		t.Helper()
		all, err := b.Vacancies(ctx, "u", age)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if err := errors.Join(a.KeepSession(ctx, "session", models.Session{UserID: "u", Came: since}, time.Minute), a.Vacate(ctx, "u", v, time.Minute)); err != nil {
		t.Fatal(err)
	}
	if all := vacancies(time.Minute); len(all) != 1 || !reflect.DeepEqual(all[0], v) {
		t.Errorf("%+v, want %+v", all, v)
	}
	if ttl := client.PTTL(ctx, vacantKey("u")).Val(); ttl <= 0 || ttl > time.Minute {
		t.Errorf("kept for %v", ttl)
	}
	if all := vacancies(-time.Second); len(all) != 0 {
		t.Errorf("one that is too old: %+v", all)
	}
	if _, found, err := b.TakeSession(ctx, "session"); !found || err != nil {
		t.Fatal(found, err)
	}
	if all := vacancies(time.Minute); len(all) != 0 {
		t.Errorf("one whose client is back: %+v", all)
	}
	v.Session = ""
	for i := range maxVacant + 2 {
		v.SocketID, v.Since = models.SocketID(fmt.Sprint("t", i)), since.Add(time.Duration(i+1)*time.Millisecond)
		if err := a.Vacate(ctx, "u", v, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	all := vacancies(time.Minute)
	if len(all) != maxVacant {
		t.Errorf("%d are kept", len(all))
	}
	for _, kept := range all {
		if kept.SocketID == "t0" || kept.SocketID == "t1" {
			t.Errorf("%s is kept, which left first", kept.SocketID)
		}
	}
	for i, want := range []bool{true, false} {
		if taken, err := b.Follow(ctx, "u", v.SocketID); taken != want || err != nil {
			t.Errorf("taken by number %d: %v, %v", i+1, taken, err)
		}
	}
	if err := client.HSet(ctx, vacantKey("u"), "odd", "x", "odder", `{"since":99999999999999999}`).Err(); err != nil {
		t.Fatal(err)
	}
	if all := vacancies(time.Minute); len(all) != maxVacant-1 {
		t.Errorf("%d beside odd ones", len(all))
	}
	if err := client.Set(ctx, vacantKey("w"), "a word", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if all, err := b.Vacancies(ctx, "w", time.Minute); len(all) != 0 || err != nil {
		t.Errorf("of a word: %v, %v", all, err)
	}
}
