package mongo_test

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/adapters/mongo"
	"parley/models"
)

func TestARequestsLife(t *testing.T) {
	for _, gather := range []bool{false, true} {
		t.Run(fmt.Sprint(gather), func(t *testing.T) {
			aRequestsLife(t, open(t, func(o *mongo.Options) { o.Gather = gather }))
		})
	}
}

func aRequestsLife(t *testing.T, f *fixture) {
	ctx := t.Context()
	chat := f.NewChatID()
	file := models.Message{ID: f.NewMessageID(), ChatID: chat, SenderID: nameUser, Type: models.Image, FileURL: "u", CreatedAt: at(0), UpdatedAt: at(0)}
	r := models.Request{Key: "k", Messages: []models.Message{file, f.text(chat, 1)}, ClaimedAt: at(2)}
	if _, found, err := f.Request(ctx, "k"); found || err != nil {
		t.Fatal(found, err)
	}
	for i, want := range []bool{true, false} {
		if claimed, err := f.Claim(ctx, r); claimed != want || err != nil {
			t.Fatalf("claim %d: %v %v", i, claimed, err)
		}
	}
	got, found, err := f.Request(ctx, "k")
	if err != nil || !found || !reflect.DeepEqual(got, r) {
		t.Fatalf("%+v %v %v\nwant %+v", got, found, err, r)
	}
	for _, tt := range []struct {
		name         string
		claimed, now time.Time
		want         bool
	}{
		{"somebody else's claim", at(1), at(9), false},
		{"no time has passed", at(2), at(2), false},
		{"the clock went back", at(2), at(1), false},
		{"ours", at(2), at(9), true},
		{"taken over already", at(2), at(10), false},
		{"again", at(9), at(10), true},
	} {
		r.ClaimedAt, r.Messages[0].CreatedAt = tt.now, tt.now
		if taken, err := f.TakeOver(ctx, tt.claimed, r); taken != tt.want || err != nil {
			t.Errorf("%s: %v %v", tt.name, taken, err)
		}
	}
	if got, _, err := f.Request(ctx, "k"); err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("taken over, but %+v %v", got, err)
	}
	other := models.Request{Key: "l", Messages: r.Messages, ClaimedAt: at(2)}
	if claimed, err := f.Claim(ctx, other); !claimed || err != nil {
		t.Fatal(claimed, err)
	}
	must(t, f.Finish(ctx, "k", "l"))
	if got, _, err := f.Request(ctx, "l"); err != nil || !got.Done {
		t.Errorf("%+v %v", got, err)
	}
	r.ClaimedAt = at(11)
	if taken, err := f.TakeOver(ctx, at(10), r); taken || err != nil {
		t.Error("a finished request is taken over: ", err)
	}
	if got, _, err := f.Request(ctx, "k"); err != nil || !got.Done || len(got.Messages) != 2 {
		t.Errorf("%+v %v", got, err)
	}
	for range 2 {
		must(t, f.Forget(ctx, "k"))
	}
	if err := f.Finish(ctx, "l", "k"); models.CodeOf(err) != models.CodeInternal {
		t.Error(err)
	}
	if claimed, err := f.Claim(ctx, r); !claimed || err != nil {
		t.Error(claimed, err)
	}
}

func TestOneOfManyWins(t *testing.T) {
	f := open(t, nil)
	race := func(name string, f func() (bool, error)) {
		var wins atomic.Int32
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				won, err := f()
				if err != nil {
					t.Error(err)
				}
				if won {
					wins.Add(1)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			t.Errorf("%s: %d winners", name, wins.Load())
		}
	}
	race("claim", func() (bool, error) { return f.Claim(t.Context(), models.Request{Key: "k", ClaimedAt: at(0)}) })
	race("take over", func() (bool, error) {
		return f.TakeOver(t.Context(), at(0), models.Request{Key: "k", ClaimedAt: at(1)})
	})
}

func TestAbsences(t *testing.T) {
	f := open(t, nil)
	ctx := t.Context()
	for _, user := range []models.UserID{hexUser, nameUser, `<é"$.&\>`} {
		if _, found, err := f.Absence(ctx, user); found || err != nil {
			t.Fatal(found, err)
		}
		for _, a := range []models.Absence{
			{Since: at(5), Had: models.Had{Heard: at(4), Seen: []models.MessageID{f.NewMessageID(), f.NewMessageID()}}, Back: at(8)},
			{Since: at(9), Had: models.Had{Heard: at(10)}},
		} {
			must(t, f.SaveAbsence(ctx, user, a))
			if got, found, err := f.Absence(ctx, user); err != nil || !found || !reflect.DeepEqual(got, a) {
				t.Errorf("%+v %v %v\nwant %+v", got, found, err, a)
			}
		}
	}
	must(t, f.SaveAbsence(ctx, "back", models.Absence{Since: at(2), Back: at(3)}))
	want := map[models.UserID]time.Time{hexUser: at(9), `<é"$.&\>`: at(9), "back": at(2)}
	seen, err := f.LastSeen(ctx, []models.UserID{"never", hexUser, `<é"$.&\>`, "back"})
	if err != nil || !reflect.DeepEqual(seen, want) {
		t.Errorf("last seen %v, %v\nwant %v", seen, err, want)
	}
	if seen, err := f.LastSeen(ctx, nil); err != nil || len(seen) != 0 {
		t.Errorf("of nobody %v, %v", seen, err)
	}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := f.SaveAbsence(ctx, "crowd", models.Absence{Since: at(i)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := f.count(t, "parley_absences"); n != 5 {
		t.Errorf("%d absences", n)
	}
}

func TestInstalledIsTheFirstTime(t *testing.T) {
	now := at(0)
	f := open(t, func(o *mongo.Options) { o.Now = func() time.Time { return now } })
	for range 2 {
		if got, err := f.Installed(t.Context()); err != nil || !got.Equal(at(0)) {
			t.Fatal(got, err)
		}
		now = at(1000)
	}
	later, err := mongo.Open(t.Context(), mongo.Options{URI: f.uri.String(), OpTimeout: time.Minute})
	must(t, err)
	defer later.Close(t.Context())
	if got, err := later.Installed(t.Context()); err != nil || !got.Equal(at(0)) {
		t.Error(got, err)
	}
}

func TestPodsStartingAtOnceAgree(t *testing.T) {
	f := open(t, nil)
	got := make([]time.Time, 8)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			s, err := mongo.Open(t.Context(), mongo.Options{URI: f.uri.String(), OpTimeout: time.Minute, Now: func() time.Time { return at(i) }})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close(t.Context())
			if got[i], err = s.Installed(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, at := range got {
		if !at.Equal(got[0]) || at.IsZero() {
			t.Fatal(got)
		}
	}
}

func TestIDsGrow(t *testing.T) {
	f := open(t, nil)
	const each = 5000
	var mu sync.Mutex
	seen := map[models.MessageID]bool{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			last := models.MessageID("")
			for range each {
				id := f.NewMessageID()
				if _, ok := models.ParseMessageID(string(id)); !ok || id <= last {
					t.Errorf("%s after %s", id, last)
					return
				}
				last = id
				mu.Lock()
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != 4*each {
		t.Errorf("%d ids", len(seen))
	}
}

// Others take a user for online from their return on until they are told otherwise.
func TestTakenForOnline(t *testing.T) {
	f := open(t, nil)
	ctx := t.Context()
	taken := func() (all []models.UserID) {
		must(t, f.TakenForOnline(ctx, func(users []models.UserID) error {
			all = append(all, users...)
			return nil
		}))
		return all
	}
	must(t, f.SaveAbsence(ctx, "bob", models.Absence{Since: at(1)}))
	if got := taken(); len(got) != 0 {
		t.Errorf("one who never came: %v", got)
	}
	for _, u := range []models.UserID{"bob", "ann", hexUser} {
		must(t, f.SaveAbsence(ctx, u, models.Absence{Since: at(1), Back: at(5)}))
	}
	must(t, f.SaveAbsence(ctx, "bob", models.Absence{Since: at(9)})) // nobody was told yet
	if got := taken(); !slices.Equal(got, []models.UserID{hexUser, "ann", "bob"}) {
		t.Errorf("three: %v", got)
	}
	// ann came back since she left at 3, and was told of as gone for good at 6.
	must(t, f.ToldOffline(ctx, []models.Untold{{UserID: "bob", Left: at(9)}, {UserID: "ann", Left: at(3)}, {UserID: hexUser, Left: at(6)}, {UserID: "never", Left: at(6)}}))
	if got := taken(); !slices.Equal(got, []models.UserID{"ann"}) {
		t.Errorf("told of two: %v", got)
	}
	if got, found, err := f.Absence(ctx, "bob"); err != nil || !found || !got.Since.Equal(at(9)) {
		t.Errorf("%+v, %v, %v", got, found, err)
	}
	must(t, f.ToldOffline(ctx, nil))
	many := make([]models.UserID, 450)
	for i := range many {
		many[i] = models.UserID(fmt.Sprintf("many%03d", i))
		must(t, f.SaveAbsence(ctx, many[i], models.Absence{Since: at(1), Back: at(2)}))
	}
	if got := taken(); !slices.Equal(got, append([]models.UserID{"ann"}, many...)) {
		t.Errorf("%d of many: %v", len(got), got)
	}
}
